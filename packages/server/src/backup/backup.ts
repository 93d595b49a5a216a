/**
 * Copies everything that is in a data folder, while a server uses it: the store as it is at one moment, keys and revocations. The copy is
 * read from beginning to end before it is called a backup.
 */
import { chmod, copyFile, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { silentLog } from "../base/log.js";
import { checkStore, copyStore } from "../engine/disk/store/copy-store.js";
import { DATA_FILE, FORMAT_FILE, RESTORED_FILE, readFormat } from "../engine/disk/store/data-dir.js";
import { dataDirError } from "../engine/disk/store/errors.js";
import { SPACES_FILE, SpacesFile } from "../engine/memory/spaces-file.js";
import { type BackedUp, describeFile, FILES, sync, writeManifest } from "./manifest.js";

export interface Backup {
  readonly folder: string;
  readonly files: readonly BackedUp[];
  /** Records in the store; `null` when there is no store. */
  readonly records: number | null;
}

/**
 * @param target a folder that is not there yet; it is made for this user only, in one step, when everything is in it
 * @throws FanfareError when there is nothing to copy, the target is there, or what was copied is damaged
 */
export async function backUp(dataDir: string, target: string, taken: Date): Promise<Backup> {
  const [from, to] = [resolve(dataDir), resolve(target)];
  if (await exists(to)) {
    throw dataDirError(
      "unreadable",
      `${to} is there already`,
      "Give the name of a folder that does not exist yet.",
    );
  }
  const partial = await mkdtemp(join(dirname(to), `.${basename(to)}-`)).catch((cause: unknown) => {
    throw dataDirError(
      "unreadable",
      `${to} cannot be made: ${String(cause)}`,
      "Give a folder that this user may make.",
      cause,
    );
  });
  try {
    const records = (await exists(join(from, DATA_FILE))) ? await copyData(from, partial) : null;
    // After the data: a client that was sent away meanwhile stays away.
    if (await exists(join(from, SPACES_FILE))) {
      await copyFile(join(from, SPACES_FILE), join(partial, SPACES_FILE));
      new SpacesFile(partial, silentLog);
    }
    const files: BackedUp[] = [];
    for (const name of FILES) {
      if (!(await exists(join(partial, name)))) continue;
      await chmod(join(partial, name), 0o600);
      await sync(join(partial, name));
      files.push(await describeFile(partial, name));
    }
    if (files.length === 0) {
      throw dataDirError(
        "unreadable",
        `there is nothing to back up in ${from}`,
        "Give the dataDir of the server.",
      );
    }
    await writeManifest(partial, taken, files);
    await rename(partial, to);
    await sync(dirname(to));
    return { folder: to, files, records };
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** @returns how many records there are */
async function copyData(from: string, to: string): Promise<number> {
  if ((await readFormat(from)) === null) {
    throw dataDirError(
      "damaged",
      `${from} has no ${FORMAT_FILE}`,
      "Start the server once, so that the store is made.",
    );
  }
  await copyStore(join(from, DATA_FILE), join(to, DATA_FILE));
  await copyFile(join(from, FORMAT_FILE), join(to, FORMAT_FILE));
  // Also for those who put the files back by hand.
  await writeFile(join(to, RESTORED_FILE), "", { mode: 0o600, flush: true });
  return await checkStore(join(to, DATA_FILE));
}

export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
