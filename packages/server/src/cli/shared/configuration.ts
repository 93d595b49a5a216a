/** Shared by `fanfare start` and `fanfare config`: the flags, made from the options, and the configuration with them in it. */
import { type InForce, loadConfig } from "../../config/config.js";
import { OPTIONS } from "../../config/options.js";

export interface Flag {
  readonly type: "string";
  readonly description: string;
  readonly valueHint: string;
}

export const configFileArgument = {
  type: "string",
  description: "Configuration file (default: fanfare.config.{json,yaml,ts,js} in the working directory)",
  valueHint: "file",
} as const;

export const dataDirArgument = {
  type: "string",
  description: "The dataDir of the server (default: as the configuration says)",
  valueHint: "folder",
} as const;

const FLAGS = OPTIONS.filter(({ flag }) => flag !== undefined);

/** The flags as citty wants them. */
export const configurationArguments: Readonly<Record<string, Flag>> = {
  ...Object.fromEntries(
    FLAGS.map(({ key, text, default: fallback, flag = "" }) => [
      key,
      {
        type: "string",
        description: `${firstSentence(text)} (default ${String(fallback)})`,
        valueHint: flag,
      } as const,
    ]),
  ),
  config: configFileArgument,
};

/** @throws ConfigError */
export function configuration(args: Readonly<Record<string, unknown>>): Promise<InForce> {
  const given = (name: string) => (args[name] === undefined ? undefined : String(args[name]));
  return loadConfig({
    folder: process.cwd(),
    environment: process.env,
    flags: Object.fromEntries(FLAGS.map(({ key }) => [key, given(key)])),
    file: given("config"),
  });
}

function firstSentence(text: string): string {
  return text.split(/(?<=[.;]) /)[0]?.replace(/[.;]$/, "") ?? text;
}
