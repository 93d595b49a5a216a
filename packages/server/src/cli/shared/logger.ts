/** The log of the command: JSON lines on standard error, or readable ones when a person looks. */
import { hostname } from "node:os";
import { quote } from "@fanfare/protocol";
import { type DestinationStream, type Logger, pino } from "pino";
import { UsageError } from "../../base/usage-error.js";
import { LOG_LEVELS } from "../../config/schema.js";

/** @param fields stand in each line */
export async function createLogger(level: string, fields: object = {}): Promise<Logger> {
  const base = { pid: process.pid, hostname: hostname(), ...fields };
  return pino(
    { level, base },
    process.stderr.isTTY ? await readable() : pino.destination({ dest: 2, sync: true }),
  );
}

/** Loaded where somebody looks: it would take a tenth of what a command needs to start. */
async function readable(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  return pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss" });
}

/** For commands without a configuration. @throws UsageError when the environment names a level that there is not */
export function levelOfEnvironment(): string {
  const level = process.env.FANFARE_LOG_LEVEL || "info";
  if (LOG_LEVELS.some((known) => known === level)) return level;
  throw new UsageError(`FANFARE_LOG_LEVEL is ${quote(level)}`, `Give one of ${LOG_LEVELS.join(", ")}.`);
}
