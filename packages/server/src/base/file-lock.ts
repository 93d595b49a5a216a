/**
 * Work on a file that other processes change, too: one at a time. A lock is a file with a number beside it, empty while it is held. The
 * next holder makes the file with the next number, which only one process can; so a lock that a killed process has left is taken over by
 * one, however many wait for it. Knows nothing of the file's contents.
 */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A lock that is held for longer was left by a process that was killed: no work may take as long. */
const STALE_MS = 10_000;
const RETRY_MS = 20;
/** Longer than a lock can be stale. */
const WITHIN_MS = 15_000;
const FREE = "free";

/**
 * Runs the work while no other process does.
 *
 * @param path the beginning of the names of its files, in a folder that is there
 * @throws Error the system's, such as `EACCES`; what the work throws; or that the lock was not to be had within 15 seconds
 */
export async function alone<Answer>(path: string, work: () => Answer | Promise<Answer>): Promise<Answer> {
  for (let waitedMs = 0; waitedMs < WITHIN_MS; waitedMs += RETRY_MS) {
    const held = take(path);
    if (held === null) {
      await wait(RETRY_MS);
      continue;
    }
    try {
      return await work();
    } finally {
      // Not removed: the file with the highest number says whether the lock is free.
      writeFileSync(held, FREE);
    }
  }
  throw new Error(`other processes keep ${path} locked`);
}

/** @returns the file of the lock that is held from now on; `null` when another process has it */
function take(path: string): string | null {
  const last = lastOf(path);
  if (last > 0 && !isFree(fileOf(path, last))) return null;
  const mine = last + 1;
  try {
    writeFileSync(fileOf(path, mine), "", { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (isCode(error, "EEXIST")) return null;
    throw error;
  }
  // Others may have taken this number, and let go of it, since it was looked for.
  if (lastOf(path) !== mine) {
    rmSync(fileOf(path, mine), { force: true });
    return null;
  }
  for (const number of numbersOf(path)) if (number < mine) rmSync(fileOf(path, number), { force: true });
  return fileOf(path, mine);
}

function isFree(file: string): boolean {
  try {
    if (readFileSync(file, "utf8") === FREE) return true;
    return Math.abs(Date.now() - statSync(file).mtimeMs) > STALE_MS;
  } catch (error) {
    // A later one is there.
    if (isCode(error, "ENOENT")) return false;
    throw error;
  }
}

function lastOf(path: string): number {
  return Math.max(0, ...numbersOf(path));
}

function numbersOf(path: string): number[] {
  const prefix = `${basename(path)}-`;
  return readdirSync(dirname(path)).flatMap((name) => {
    const number = name.startsWith(prefix) ? name.slice(prefix.length) : "";
    return /^[1-9]\d{0,14}$/.test(number) ? [Number(number)] : [];
  });
}

function fileOf(path: string, number: number): string {
  return join(dirname(path), `${basename(path)}-${number}`);
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
