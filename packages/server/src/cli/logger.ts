/** The log of the command: JSON lines on standard error, or readable ones when a person looks. */
import { quote } from "@fanfare/protocol";
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";
import { UsageError } from "./arguments.js";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** @throws UsageError when the environment names a level that there is not */
export function createLogger(): Logger {
  const level = process.env.FANFARE_LOG_LEVEL || "info";
  if (!LEVELS.includes(level)) {
    throw new UsageError(`FANFARE_LOG_LEVEL is ${quote(level)}`, `Give one of ${LEVELS.join(", ")}.`);
  }
  const destination = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss" })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level }, destination);
}
