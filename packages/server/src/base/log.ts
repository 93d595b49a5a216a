/** The log, as the parts of the server need it: a pino logger is one. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** The same log, which lets no exception out, and no rejection: all failures end in the log, so it must not fail itself. */
export function guardedLog(log: Log): Log {
  const guarded = { ...silentLog };
  for (const level of LEVELS) {
    guarded[level] = (fields, message) => {
      try {
        // It may be an async function of the application.
        const written: unknown = log[level](fields, message);
        if (written instanceof Promise) written.catch(() => {});
      } catch {
        // There is nothing that it could be told to.
      }
    };
  }
  return guarded;
}
