/** The configuration: put together from flags, environment, file and defaults, and checked as a whole. */
import { availableParallelism } from "node:os";
import { anonymousGrants } from "../access/settings.js";
import { nearest } from "../base/nearest.js";
import { checkPath } from "../base/path.js";
import { socketIoSettings } from "../doors/socketio/options.js";
import { memoryThere } from "../library/memory-meter.js";
import { defaultsOf, type MemoryThere, partOf, planMemory } from "../library/memory-plan.js";
import { ConfigError } from "./errors.js";
import { type ConfigFile, readConfigFile } from "./file.js";
import { GROUPS, OPTIONS, type Option, PREFIX } from "./options.js";
import { problemOf } from "./problem.js";
import { type Config, configSchema, processesOf } from "./schema.js";

/** Where a value came from. */
export interface Origin {
  readonly kind: "flag" | "environment" | "file" | "default";
  /** The flag, the variable or the file, as a person would look for it. */
  readonly name: string;
}

export interface InForce {
  readonly config: Config;
  /** By key, such as `limits.connections`. */
  readonly origins: ReadonlyMap<string, Origin>;
  readonly file: string | null;
}

export interface Sources {
  /** Where a file is looked for. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By key; those that were not given are left out. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  /** The file that was asked for. */
  readonly file?: string | undefined;
  /** @default what this process has */
  readonly memory?: MemoryThere;
}

/** The variable that names the file. */
export const FILE_VARIABLE = `${PREFIX}CONFIG`;

export const DEFAULT: Origin = { kind: "default", name: "default" };
/** It is less than the default, for want of memory. */
export const FROM_MEMORY: Origin = { kind: "default", name: "default, from the memory that is there" };

/** Flags go before the environment, the environment before the file. @throws ConfigError with everything that is wrong */
export async function loadConfig(sources: Sources): Promise<InForce> {
  const { folder, environment, flags } = sources;
  const file = await readConfigFile(folder, sources.file ?? (environment[FILE_VARIABLE] || undefined));
  const problems = unknownVariables(environment);
  const origins = new Map<string, Origin>();
  const values = copyOf(file);

  for (const option of OPTIONS) {
    const { key, variable } = option;
    if (get(values, option.path) !== undefined && file) origins.set(key, { kind: "file", name: file.name });
    const flag = flags[key];
    // A variable that is set to nothing is as good as none: many tools have no other way to leave one out.
    const text = flag ?? (environment[variable] || undefined);
    if (text === undefined) continue;
    const origin: Origin =
      flag === undefined ? { kind: "environment", name: variable } : { kind: "flag", name: `--${key}` };
    origins.set(key, origin);
    try {
      set(values, option.path, option.parse(text));
    } catch {
      // What the parser says may quote the text.
      problems.push(`${key} is no JSON (${origin.name}). Give ${option.allowed} as JSON.`);
      set(values, option.path, undefined);
    }
  }

  const result = configSchema.safeParse(values);
  const config = result.success ? planned(result.data, origins, sources.memory ?? memoryThere()) : undefined;
  const fileOrigin: Origin = file ? { kind: "file", name: file.name } : DEFAULT;
  for (const issue of result.error?.issues ?? []) {
    problems.push(...problemOf(issue, values, (key) => origins.get(key) ?? fileOrigin));
  }
  if (config) problems.push(...checkTogether(config, origins));
  if (problems.length > 0 || !config) throw new ConfigError([...new Set(problems)]);
  return { config, origins, file: file?.name ?? null };
}

/** With defaults from the memory that is there, where no setting says otherwise. */
function planned(config: Config, origins: ReadonlyMap<string, Origin>, there: MemoryThere): Config {
  const part = partOf(there, processesOf(config, availableParallelism()));
  const fromMemory = defaultsOf(planMemory(part), config.engine === "memory");
  const unsaid = Object.entries(fromMemory).filter(([name]) => !origins.has(`limits.${name}`));
  return { ...config, limits: { ...config.limits, ...Object.fromEntries(unsaid) } };
}

/** What no option can say of itself alone. */
function checkTogether(config: Config, origins: ReadonlyMap<string, Origin>): string[] {
  const { path, reservedPaths, socketio } = config;
  const from = (key: string) => (origins.get(key) ?? DEFAULT).name;
  const problems: string[] = [];
  const check = (work: () => unknown, where: string) => {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const remedy = "remedy" in error ? ` ${String(error.remedy)}` : "";
      problems.push(`${error.message.replace(/\.?$/, "")} (${where}).${remedy}`);
    }
  };
  const { access, anonymous } = config;
  check(() => anonymousGrants({ access, anonymous }), `${from("access")}, ${from("anonymous")}`);
  check(() => checkPath(path, reservedPaths), `${from("path")}, and reservedPaths`);
  if (socketio.path !== "") {
    const where = `${from("socketio.path")}, ${from("socketio.services")}`;
    check(() => socketIoSettings(socketio, path, reservedPaths), where);
  } else if (socketio.services.length > 0) {
    problems.push(
      `socketio.services has ${socketio.services.length} (${from("socketio.services")}), and the door is closed. Set socketio.path to /socket.io.`,
    );
  }
  return problems;
}

function unknownVariables(environment: Sources["environment"]): string[] {
  const known = [...OPTIONS.map(({ variable }) => variable), FILE_VARIABLE];
  return Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name))
    .map((name) => {
      if (/^FANFARE_(?:SERVICE_|PORT_)/.test(name)) {
        return `the variable ${name} is not known. Kubernetes makes it for a service called fanfare: set enableServiceLinks: false for the pod.`;
      }
      const close = nearest(name, known);
      return `the variable ${name} is not known. ${close ? `Did you mean ${close}?` : "Remove it."}`;
    });
}

/** Two levels deep, since values are put into it. */
function copyOf(file: ConfigFile | null): Record<string, unknown> {
  const values = { ...file?.values };
  for (const group of GROUPS) {
    const inner = values[group];
    if (isRecord(inner)) values[group] = { ...inner };
  }
  return values;
}

function get(values: Record<string, unknown>, path: Option["path"]): unknown {
  return path.reduce<unknown>((inner, step) => (isRecord(inner) ? inner[step] : undefined), values);
}

function set(values: Record<string, unknown>, path: Option["path"], value: unknown): void {
  const [first = "", second] = path;
  if (second === undefined) {
    values[first] = value;
    return;
  }
  const group = values[first] ?? {};
  // A group that is none stays as it is, to be refused.
  if (isRecord(group)) values[first] = { ...group, [second]: value };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
