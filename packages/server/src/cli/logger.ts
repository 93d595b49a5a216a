/** The log of the command: JSON lines on standard error, or readable ones when a person looks. */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

export function createLogger(): Logger {
  const level = process.env.FANFARE_LOG_LEVEL ?? "info";
  const destination = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "HH:MM:ss" })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level }, destination);
}
