/**
 * The folder of a disk engine, looked at before the store is opened: the library below can end the process over a damaged
 * file, and must never begin anew where something was. Knows the head of LMDB's file, not what is in it.
 */
import { chmod, open, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { asError, type FanfareError } from "@fanfare/protocol";
import { makePrivateFolder } from "../../../base/private-folder.js";
import { BACKUP, dataDirError, isDataDirError } from "./errors.js";

/** The version of what lies in the store. */
export const FORMAT = 2;
export const DATA_FILE = "data.mdb";
/** The library's own, beside it: who reads, in any process. */
export const READERS_FILE = "data.mdb-lock";
/** No less than the library needs. It is written in full, since a full disk could not take what was left out. */
const READERS_BYTES = 12_288;
export const FORMAT_FILE = "format.json";
/** Somebody has put a backup in place. */
export const RESTORED_FILE = "restored";

export interface Looked {
  /** There is no store yet, or one whose making was cut off. */
  readonly isNew: boolean;
  /** The store is a backup: positions that were given after it was taken must not be honoured. */
  readonly isRestored: boolean;
}

/** Makes the folder where there is none. @throws FanfareError */
export async function makeFolder(folder: string): Promise<void> {
  try {
    if (makePrivateFolder(folder)) await chmod(folder, 0o700);
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

/** Makes the files that the library would make otherwise, and let others read as the umask says. */
export async function makeFiles(folder: string): Promise<void> {
  await makeFile(join(folder, DATA_FILE), 0);
  await makeFile(join(folder, READERS_FILE), READERS_BYTES);
}

async function makeFile(path: string, bytes: number): Promise<void> {
  if ((await sizeOf(path)) !== null) return;
  await writeFile(path, Buffer.alloc(bytes), { mode: 0o600, flag: "wx" });
}

/** @throws FanfareError */
export async function lookAt(folder: string): Promise<Looked> {
  try {
    const format = await readFormat(folder);
    const bytes = await sizeOf(join(folder, DATA_FILE));
    // A process that was cut off while making a store left no format.
    if (format === null && !bytes) return { isNew: true, isRestored: false };
    if (bytes === null) {
      throw dataDirError("damaged", `${folder} has no ${DATA_FILE}, though there was one`, BACKUP);
    }
    await checkHead(join(folder, DATA_FILE), bytes);
    return { isNew: format === null, isRestored: (await sizeOf(join(folder, RESTORED_FILE))) !== null };
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

/** To be called when the store is made: from now on it has to be there. */
export async function writeFormat(folder: string): Promise<void> {
  const path = join(folder, FORMAT_FILE);
  await writeFile(`${path}.new`, `${JSON.stringify({ fanfare: "disk", format: FORMAT })}\n`, {
    mode: 0o600,
    flush: true,
  });
  await rename(`${path}.new`, path);
}

export async function removeRestored(folder: string): Promise<void> {
  await rm(join(folder, RESTORED_FILE), { force: true });
}

/** The failure, as an error that says what to do. */
export function unusable(folder: string, cause: unknown): FanfareError {
  if (isDataDirError(cause)) return cause;
  const why = asError(cause).message;
  return dataDirError(
    "unreadable",
    `${folder} cannot be used: ${why}`,
    "Give a folder that this user may read and write, on a local disk.",
    cause,
  );
}

/** `null` when there is none yet. @throws FanfareError when it is of another version */
export async function readFormat(folder: string): Promise<number | null> {
  const path = join(folder, FORMAT_FILE);
  if ((await sizeOf(path)) === null) return null;
  const text = await readFile(path, "utf8");
  const format = /^\{"fanfare":"disk","format":(\d+)\}\n?$/.exec(text)?.[1];
  if (format === undefined) throw dataDirError("damaged", `${path} is not what Fanfare wrote`, BACKUP);
  if (Number(format) === FORMAT) return FORMAT;
  throw dataDirError(
    "other_format",
    `${folder} is of format ${format}, and this version reads format ${FORMAT}`,
    "Use the version of Fanfare that wrote it, or give another dataDir.",
  );
}

/** LMDB begins with two pages that say where its trees are; the newer one counts. */
async function checkHead(path: string, size: number): Promise<void> {
  const pages = await readHead(path);
  const metas = pages.map(readMeta).filter((meta) => meta !== null);
  if (metas.length < pages.length) {
    throw dataDirError("damaged", `${path} does not begin as a store does`, BACKUP);
  }
  const newest = metas.reduce((one, other) => (one.transaction >= other.transaction ? one : other));
  const wanted = (newest.lastPage + 1) * newest.pageBytes;
  if (size >= wanted) return;
  // Pages that were taken and given back in one commit are never written: a few may be missing at the end.
  if (wanted - size > Math.min(MAY_BE_MISSING, wanted / 8)) {
    throw dataDirError("damaged", `${path} has ${size} bytes, and ${wanted} belong to it`, BACKUP);
  }
  // Reading beyond the end of a file that is mapped into memory would end the process.
  await truncate(path, wanted);
}

/** Bytes at the end of the file. */
const MAY_BE_MISSING = 2 ** 20;

interface Meta {
  readonly pageBytes: number;
  readonly lastPage: number;
  readonly transaction: number;
}

const META_MAGIC = 0xbeefc0de;
/** Offsets: a header of 24 bytes, magic, version, address, map size, two trees of 48 bytes, last page, transaction. */
const AT = { magic: 24, pageBytes: 48, lastPage: 144, transaction: 152 } as const;
const META_BYTES = 160;

function readMeta(page: Buffer): Meta | null {
  if (page.length < META_BYTES || page.readUInt32LE(AT.magic) !== META_MAGIC) return null;
  return {
    pageBytes: page.readUInt32LE(AT.pageBytes),
    lastPage: Number(page.readBigUInt64LE(AT.lastPage)),
    transaction: Number(page.readBigUInt64LE(AT.transaction)),
  };
}

async function readHead(path: string): Promise<Buffer[]> {
  const file = await open(path, "r");
  try {
    const first = await readAt(file, 0);
    const pageBytes = readMeta(first)?.pageBytes ?? 0;
    return [first, await readAt(file, pageBytes)];
  } finally {
    await file.close();
  }
}

async function readAt(file: Awaited<ReturnType<typeof open>>, place: number): Promise<Buffer> {
  const bytes = Buffer.alloc(META_BYTES);
  const { bytesRead } = await file.read(bytes, 0, META_BYTES, place);
  return bytes.subarray(0, bytesRead);
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
