/** The manifest proves that a backup is whole: its time, and the size and checksum of each file. Written last. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FanfareError } from "@fanfare/protocol";
import { z } from "zod";
import { DATA_FILE, FORMAT, FORMAT_FILE } from "../engine/disk/store/data-dir.js";
import { dataDirError } from "../engine/disk/store/errors.js";
import { SPACES_FILE } from "../engine/memory/spaces-file.js";

const MANIFEST_FILE = "backup.json";
/** Everything that a backup may hold. */
export const FILES = [SPACES_FILE, FORMAT_FILE, DATA_FILE] as const;

const fileSchema = z.object({
  name: z.enum(FILES),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const schema = z.object({
  fanfare: z.literal("backup"),
  format: z.number().int(),
  /** ISO 8601. */
  taken: z.iso.datetime(),
  files: z.array(fileSchema).min(1),
});

export type BackedUp = z.infer<typeof fileSchema>;
export type Manifest = z.infer<typeof schema>;

export async function describeFile(folder: string, name: BackedUp["name"]): Promise<BackedUp> {
  const path = join(folder, name);
  return { name, bytes: (await stat(path)).size, sha256: await digestOf(path) };
}

export async function writeManifest(folder: string, taken: Date, files: readonly BackedUp[]): Promise<void> {
  const manifest = { fanfare: "backup", format: FORMAT, taken: taken.toISOString(), files };
  const text = `${JSON.stringify(manifest, null, 1)}\n`;
  await writeFile(join(folder, MANIFEST_FILE), text, { mode: 0o600, flush: true });
}

/** @throws FanfareError when the folder is no backup, is of another version, or is not as it was when it was taken */
export async function readManifest(folder: string): Promise<Manifest> {
  let found: unknown;
  try {
    found = JSON.parse(await readFile(join(folder, MANIFEST_FILE), "utf8"));
  } catch (cause) {
    throw dataDirError(
      "damaged",
      `${folder} is not a backup, or not a whole one: its ${MANIFEST_FILE} cannot be read`,
      "Give the folder that fanfare backup made.",
      cause,
    );
  }
  const { data, error } = schema.safeParse(found);
  if (!data) throw changed(folder, `${MANIFEST_FILE}: ${z.prettifyError(error)}`);
  if (data.format !== FORMAT) {
    throw dataDirError(
      "other_format",
      `the backup in ${folder} is of format ${data.format}, and this version reads format ${FORMAT}`,
      "Use the version of Fanfare that took it.",
    );
  }
  for (const file of data.files) {
    const present = await describeFile(folder, file.name).catch(() => null);
    if (present === null) throw changed(folder, `${file.name} cannot be read`);
    if (present.sha256 !== file.sha256) throw changed(folder, `${file.name} is not what was backed up`);
  }
  return data;
}

export async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part);
  return hash.digest("hex");
}

/** Brings a file or a folder to the disk. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function changed(folder: string, what: string): FanfareError {
  return dataDirError("damaged", `the backup in ${folder} is damaged: ${what}`, "Use another backup.");
}
