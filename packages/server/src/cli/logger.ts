/** The log of the command: JSON lines on standard error, or readable ones when a person looks. */
import { quote } from "@fanfare/protocol";
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import { LOG_LEVELS } from "../config/schema.js";
import { UsageError } from "./arguments.js";

export function createLogger(level: string): Logger {
  const destination = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss" })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level }, destination);
}

/** For commands without a configuration. @throws UsageError when the environment names a level that there is not */
export function levelOfEnvironment(): string {
  const level = process.env.FANFARE_LOG_LEVEL || "info";
  if (LOG_LEVELS.some((known) => known === level)) return level;
  throw new UsageError(`FANFARE_LOG_LEVEL is ${quote(level)}`, `Give one of ${LOG_LEVELS.join(", ")}.`);
}
