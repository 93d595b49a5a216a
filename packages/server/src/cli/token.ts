/** `fanfare token`: makes a token for a user, with the secret of the configuration. Needs no running server. */
import { quote } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { DEFAULT_TOKEN_SECONDS, signToken } from "../access/sign.js";
import { checkArguments, parseJson, UsageError } from "./arguments.js";
import { configFileArgument, configuration } from "./configuration.js";
import { tellErrors } from "./errors.js";
import { grantArguments, grantsIn } from "./grants.js";

const args = {
  user: { type: "string", description: "Id of the user, such as alice", required: true, valueHint: "id" },
  channel: grantArguments.channel,
  action: { ...grantArguments.action, default: "subscribe,history" },
  seconds: {
    type: "string",
    default: String(DEFAULT_TOKEN_SECONDS),
    description: "How long it is good for, in seconds",
    valueHint: "number",
  },
  info: {
    type: "string",
    description: "What others see of the user who is present, as JSON of at most 1 KiB",
    valueHint: "json",
  },
  config: configFileArgument,
} as const;

export const token = defineCommand({
  meta: { name: "token", description: "Makes a token for a user, and prints it." },
  args,
  run: (context) =>
    tellErrors("token", async () => {
      const { user, action, seconds, info, config } = context.args;
      checkArguments(context, args);
      const { tokens } = (await configuration({ config })).config;
      const [secret] = tokens.secrets;
      if (secret === undefined) {
        throw new UsageError(
          "there is no secret to make tokens with",
          "Make one, for the server and for this command:\n\n  export FANFARE_SECRET=$(openssl rand -hex 32)",
        );
      }
      const made = await signToken({
        secret,
        user,
        grants: grantsIn(context.rawArgs, action, user),
        ...(info !== undefined && { info: parseJson(info) }),
        expiresInSeconds: secondsIn(seconds, tokens.maxSeconds),
        issuer: tokens.issuers[0],
        audience: tokens.audiences[0],
      });
      process.stdout.write(`${made.token}\n`);
    }),
});

/** @throws UsageError */
function secondsIn(text: string, most: number): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (seconds >= 1 && seconds <= most) return seconds;
  throw new UsageError(
    `--seconds is ${quote(text)}`,
    `Give a whole number from 1 to ${most} (tokens.maxSeconds).`,
  );
}
