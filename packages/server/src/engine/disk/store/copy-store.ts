/** Copies a store's file while a server writes to it, and reads a copy from beginning to end. */

import { rm } from "node:fs/promises";
import type { FanfareError } from "@fanfare/protocol";
import type { RootDatabase } from "lmdb";
import { intact } from "./checked.js";
import { dataDirError, isDataDirError } from "./errors.js";
import { openFile, TABLES } from "./store.js";

/** @param to a file that is not there yet: the store as it is at one moment, without what is free in it */
export async function copyStore(from: string, to: string): Promise<void> {
  const env = await openFile(from, { readOnly: true });
  try {
    await env.backup(to, true);
  } catch (cause) {
    throw damaged(from, String(cause), cause);
  } finally {
    await env.close();
  }
}

/** @returns how many records there are @throws FanfareError `damaged` when one of them is not what was written */
export async function checkStore(path: string): Promise<number> {
  const env = await openFile(path, { readOnly: true });
  try {
    return TABLES.reduce((sum, table) => sum + checkTable(env, table, path), 0);
  } finally {
    await env.close();
    // Made by opening it; it is of no use beside a copy.
    await rm(`${path}-lock`, { force: true });
  }
}

function checkTable(env: RootDatabase<Buffer, Buffer>, name: string, path: string): number {
  let records = 0;
  try {
    const table = env.openDB<Buffer, Buffer>({ name, encoding: "binary", keyEncoding: "binary" });
    for (const { key, value } of table.getRange({})) {
      if (intact(key, value) === null) throw damaged(path, `a record in ${name} is not what was written`);
      records++;
    }
  } catch (cause) {
    throw isDataDirError(cause) ? cause : damaged(path, `${name} cannot be read`, cause);
  }
  return records;
}

function damaged(path: string, what: string, cause?: unknown): FanfareError {
  return dataDirError(
    "damaged",
    `the store is damaged (${what}), so there is no backup of it: ${path}`,
    "Look into the log of the server; restore an earlier backup.",
    cause,
  );
}
