/**
 * Puts a backup into a data folder that no server uses. It is checked, and copied beside what is there, before anything is replaced; at
 * every moment on the way a server finds the old store, the new one, or refuses to start.
 */

import { copyFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { FanfareError } from "@fanfare/protocol";
import {
  DATA_FILE,
  FORMAT_FILE,
  makeFolder,
  READERS_FILE,
  RESTORED_FILE,
} from "../engine/disk/store/data-dir.js";
import { dataDirError } from "../engine/disk/store/errors.js";
import { lockFolder } from "../engine/disk/store/process-lock.js";
import { SPACES_FILE } from "../engine/memory/spaces-file.js";
import { exists } from "./backup.js";
import { digestOf, FILES, type Manifest, readManifest, sync } from "./manifest.js";

export interface Restored {
  readonly folder: string;
  readonly taken: Date;
  /** Where the files are that were there before; `null` when there were none. */
  readonly replaced: string | null;
  /** Is there a store in it, or only keys and revocations? */
  readonly hasStore: boolean;
}

export interface RestoreOptions {
  /** Moves what is there to a folder of its own. Otherwise it is refused. */
  readonly replace: boolean;
  readonly now: Date;
}

/** @throws FanfareError when a server uses the folder, it holds something, or the backup is not whole */
export async function restore(
  backup: string,
  dataDir: string,
  { replace, now }: RestoreOptions,
): Promise<Restored> {
  const [from, to] = [resolve(backup), resolve(dataDir)];
  const manifest = await readManifest(from);
  await makeFolder(to);
  const lock = await lockFolder(to);
  try {
    const present: string[] = [];
    for (const name of FILES) if (await exists(join(to, name))) present.push(name);
    if (present.length > 0 && !replace) throw inTheWay(to, present);
    await copyBeside(from, to, manifest);
    const aside = present.length > 0 ? join(to, `replaced-${now.toISOString().replaceAll(":", "-")}`) : null;
    await exchange(to, manifest, aside);
    const hasStore = manifest.files.some(({ name }) => name === DATA_FILE);
    return { folder: to, taken: new Date(manifest.taken), replaced: aside, hasStore };
  } finally {
    await lock.release();
  }
}

async function copyBeside(from: string, to: string, { files }: Manifest): Promise<void> {
  try {
    for (const { name, sha256 } of files) {
      const copy = besideOf(to, name);
      await copyFile(join(from, name), copy);
      await sync(copy);
      if ((await digestOf(copy)) === sha256) continue;
      throw dataDirError(
        "damaged",
        `${name} was changed while it was copied`,
        "Try again, or use another backup.",
      );
    }
  } catch (error) {
    for (const { name } of files) await rm(besideOf(to, name), { force: true });
    throw error;
  }
}

/** A format without data keeps a server from starting; so the data goes first and comes last. */
async function exchange(to: string, { files }: Manifest, aside: string | null): Promise<void> {
  if (aside) {
    await mkdir(aside, { mode: 0o700 });
    if (await exists(join(to, FORMAT_FILE))) await copyFile(join(to, FORMAT_FILE), join(aside, FORMAT_FILE));
    for (const name of [DATA_FILE, SPACES_FILE]) await moveIfThere(join(to, name), join(aside, name));
  }
  await rm(join(to, READERS_FILE), { force: true });
  const restored = new Set<string>(files.map(({ name }) => name));
  if (restored.has(DATA_FILE)) await writeFile(join(to, RESTORED_FILE), "", { mode: 0o600, flush: true });
  else await rm(join(to, FORMAT_FILE), { force: true });
  for (const name of [FORMAT_FILE, SPACES_FILE, DATA_FILE]) {
    if (restored.has(name)) await rename(besideOf(to, name), join(to, name));
  }
  await sync(to);
}

async function moveIfThere(from: string, to: string): Promise<void> {
  if (await exists(from)) await rename(from, to);
}

function besideOf(folder: string, name: string): string {
  return join(folder, `${name}.restoring`);
}

function inTheWay(folder: string, names: readonly string[]): FanfareError {
  return dataDirError(
    "in_use",
    `${folder} holds ${names.join(", ")} already`,
    "Give an empty dataDir, or --replace to move what is there to a folder of its own.",
  );
}
