/** A log that remembers what it was told. */
import type { Log } from "../base/log.js";

export interface Line {
  readonly level: keyof Log;
  readonly message: string;
  readonly remedy?: string;
}

export class Lines implements Log {
  readonly lines: Line[] = [];

  debug(fields: object, message: string): void {
    this.#add("debug", fields, message);
  }
  info(fields: object, message: string): void {
    this.#add("info", fields, message);
  }
  warn(fields: object, message: string): void {
    this.#add("warn", fields, message);
  }
  error(fields: object, message: string): void {
    this.#add("error", fields, message);
  }

  #add(level: keyof Log, fields: object, message: string): void {
    const remedy = "remedy" in fields ? { remedy: String(fields.remedy) } : {};
    this.lines.push({ level, message, ...remedy });
  }
}
