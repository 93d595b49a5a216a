/**
 * Keeps a second process out of a folder. The lock is a socket that listens: the system takes it away when the process ends, so nothing
 * has to be cleaned up.
 */
import type { FanfareError } from "@fanfare/protocol";
import { listenInFolder } from "../../../base/folder-socket.js";
import { dataDirError } from "./errors.js";

export const LOCK_SOCKET = "lock.sock";

export interface ProcessLock {
  release(): Promise<void>;
}

/** @throws FanfareError `in_use`, `unreadable` */
export async function lockFolder(folder: string): Promise<ProcessLock> {
  const lock = await listenInFolder(folder, LOCK_SOCKET, (socket) => {
    // Not left to the other side: one that stays would keep the lock from being released.
    socket.end(String(process.pid), () => socket.destroy());
  }).catch((error: NodeJS.ErrnoException) => {
    throw dataDirError(
      "unreadable",
      `${folder} cannot hold a lock (${error.code ?? error.message})`,
      "Use a folder on a local disk that this user may write to.",
      error,
    );
  });
  if ("greeting" in lock) throw inUse(folder, lock.greeting);
  return { release: () => lock.close() };
}

function inUse(folder: string, holder: string): FanfareError {
  const who = /^\d+$/.test(holder) ? `the process ${holder}` : "another process";
  return dataDirError(
    "in_use",
    `${who} uses ${folder}`,
    "Stop it first, or give this one a dataDir of its own: two processes cannot share one.",
  );
}
