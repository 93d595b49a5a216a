/** Folders that hold what others should not read: whether others may is said once, when they are opened. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Log } from "./log.js";

/** The permission bits of the group and of all others. */
const OTHERS = 0o077;

/** The engine and the keys may share a folder; one warning is enough. */
const told = new Set<string>();

/** Warns where other users of the machine may look into a folder, or write to it. Never throws. */
export async function warnIfOthersMayRead(folder: string, log: Log): Promise<void> {
  // Windows has no such modes.
  if (process.platform === "win32") return;
  const path = resolve(folder);
  const mode = await stat(path).then(
    (found) => found.mode & 0o777,
    () => 0,
  );
  if ((mode & OTHERS) === 0 || told.has(path)) return;
  told.add(path);
  log.warn(
    { remedy: `chmod 700 ${path}` },
    `other users of this machine may open ${path} (its mode is ${mode.toString(8)}); new files in it are for this user only`,
  );
}

/**
 * Makes a folder that only this user may open, and those above it. Node's own way never ends where the system refuses a folder as if
 * the one above it were missing, as in `/proc`.
 *
 * @returns false when the folder was there
 * @throws Error the system's, such as `EACCES`
 */
export function makePrivateFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (error) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return false;
    const above = dirname(resolve(folder));
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || existsSync(above)) throw error;
    makePrivateFolder(above);
    return makePrivateFolder(folder);
  }
}
