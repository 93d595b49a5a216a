import { expect, onTestFinished, test } from "vitest";
import { turns } from "../testing/fake-clock.js";
import { guardedLog, type Log } from "./log.js";

const LEVELS = ["debug", "info", "warn", "error"] as const;

test("a guarded log passes on each line at its level, and lets out neither an exception nor a rejection", async () => {
  const unhandled: unknown[] = [];
  const hear = (error: unknown) => void unhandled.push(error);
  process.on("unhandledRejection", hear);
  onTestFinished(() => void process.off("unhandledRejection", hear));
  const lines: unknown[] = [];
  for (const end of [() => {}, () => throwing(), async () => throwing()]) {
    const write = (level: string) => (fields: object, message: string) => {
      lines.push([level, fields, message]);
      return end();
    };
    const log: Log = guardedLog({
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
    });
    for (const level of LEVELS) log[level]({ a: 1 }, `a ${level}`);
  }
  await turns();
  const expected = LEVELS.map((level) => [level, { a: 1 }, `a ${level}`]);
  expect(lines).toEqual([...expected, ...expected, ...expected]);
  expect(unhandled).toEqual([]);
});

test("a guarded log may be a class that needs to be itself", () => {
  class Counting implements Log {
    lines = 0;
    debug = () => void this.lines++;
    info() {
      this.lines++;
    }
    warn() {
      this.lines++;
    }
    error() {
      this.lines++;
    }
  }
  const counting = new Counting();
  const log = guardedLog(counting);
  for (const level of LEVELS) log[level]({}, "a line");
  expect(counting.lines).toBe(4);
});

function throwing(): void {
  throw new Error("the log fails");
}
