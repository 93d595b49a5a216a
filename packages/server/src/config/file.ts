/** The configuration file: found, read by c12, and handed on as it is. Knows no options. */
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { extname, relative, resolve } from "node:path";
import { quote } from "@fanfare/protocol";
import { ConfigError } from "./errors.js";

const EXTENSIONS = [".json", ".yaml", ".yml", ".ts", ".js", ".mjs"];
/** Options lie less deep. */
const MAX_DEPTH = 10;
const NAMES = EXTENSIONS.map((extension) => `fanfare.config${extension}`);

export interface ConfigFile {
  /** As it is shown: relative to the working directory where it is below it. */
  readonly name: string;
  readonly values: Record<string, unknown>;
}

/**
 * @param wanted the file that was asked for, else `fanfare.config.*` of the folder, if there is one
 * @throws ConfigError
 */
export async function readConfigFile(folder: string, wanted?: string): Promise<ConfigFile | null> {
  const path = wanted === undefined ? find(folder) : asked(folder, wanted);
  if (path === null) return null;
  const inside = relative(folder, path);
  const name = inside.startsWith("..") ? path : inside;
  checkReadable(path, name);
  const values = await read(path, name);
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new ConfigError([`${name} holds no object. Give the options by name, such as port: 3030.`]);
  }
  return { name, values: values as Record<string, unknown> };
}

function find(folder: string): string | null {
  const found = NAMES.filter((name) => existsSync(resolve(folder, name)));
  if (found.length > 1) {
    throw new ConfigError([
      `there are ${found.join(" and ")}. Keep one of them, or say which with --config.`,
    ]);
  }
  return found[0] === undefined ? null : resolve(folder, found[0]);
}

function asked(folder: string, wanted: string): string {
  const path = resolve(folder, wanted);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) {
    throw new ConfigError([
      `the configuration file ${quote(wanted, 200)} is a folder. Give the file in it, such as ${NAMES[0]}.`,
    ]);
  }
  if (!found?.isFile()) {
    throw new ConfigError([
      `the configuration file ${quote(wanted, 200)} does not exist. Check --config and FANFARE_CONFIG.`,
    ]);
  }
  if (!EXTENSIONS.includes(extname(path))) {
    throw new ConfigError([
      `the configuration file ${quote(wanted, 200)} has no known form. Give one that ends with ${EXTENSIONS.join(", ")}.`,
    ]);
  }
  return path;
}

function checkReadable(path: string, name: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch {
    throw new ConfigError([
      `${name} may not be read by this user. Let its owner be the user who runs this, such as by chown.`,
    ]);
  }
}

async function read(path: string, name: string): Promise<unknown> {
  if (isBlank(path)) return {};
  try {
    // c12 leaves JSON to Node, which would never read it again.
    if (extname(path) === ".json") return JSON.parse(readFileSync(path, "utf8")) as unknown;
    // Most calls have no file, and then need none of this.
    const { loadConfig } = await import("c12");
    const loading = loadConfig<Record<string, unknown>>({
      configFile: path,
      configFileRequired: true,
      // One file and nothing else: you would not look for settings in another.
      rcFile: false,
      globalRc: false,
      packageJson: false,
      extend: false,
      giget: false,
      dotenv: false,
      envName: false,
      // As it is: the default leaves out what is null.
      merger: (...sources: unknown[]) => sources.find((source) => source !== undefined) as never,
      // A copy in a cache would hold its secrets, too; and it is read again when the server is told to.
      jitiOptions: { fsCache: false, moduleCache: false },
    });
    const { config } = await orIdle(loading);
    return settled(config);
  } catch (error) {
    throw new ConfigError([`${name} cannot be read${reasonOf(error, path)}`]);
  }
}

/** As it is now: a getter runs here, and what it throws is told with the name of the file. */
function settled(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return value.map((each) => settled(each, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, settled(each, depth + 1)]));
}

/** Its code may wait for something that never comes: then Node would end as if all was well. */
async function orIdle<Value>(loading: Promise<Value>): Promise<Value> {
  let idle = () => {};
  const never = new Promise<never>((_resolve, reject) => {
    idle = () => reject(new Error("it waits for something that never comes"));
  });
  process.once("beforeExit", idle);
  try {
    return await Promise.race([loading, never]);
  } finally {
    process.removeListener("beforeExit", idle);
  }
}

/** YAML that is empty, or has comments only, sets nothing. */
function isBlank(path: string): boolean {
  if (!/\.ya?ml$/.test(path)) return false;
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.every((line) => /^\s*(?:#.*|---\s*)?$/.test(line));
}

/** What went wrong, without the lines that parsers quote: there may be a secret in them. */
function reasonOf(error: unknown, path: string): string {
  if (!(error instanceof Error)) return ".";
  // c12 looks for this member first.
  if (error.message.includes("$meta")) return ": it holds no object.";
  const where = /line (\d+)|[(:](\d+):\d+/i.exec(error.message);
  const line = where?.[1] ?? where?.[2] ?? lineAt(path, /at position (\d+)/.exec(error.message)?.[1]);
  const at = line === undefined ? "" : ` at line ${line}`;
  return extname(path) === ".json" || /\.ya?ml$/.test(path)
    ? `: it is no ${extname(path) === ".json" ? "JSON" : "YAML"}${at}.`
    : `${at}: ${quote(error.message.split("\n")[0] ?? "", 300)}`;
}

function lineAt(path: string, position: string | undefined): string | undefined {
  if (position === undefined) return undefined;
  return String(readFileSync(path, "utf8").slice(0, Number(position)).split("\n").length);
}
