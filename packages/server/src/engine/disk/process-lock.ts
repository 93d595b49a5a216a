/**
 * Keeps a second process out of a folder. The lock is a socket that listens: the system takes it away when the process
 * ends, however it ends, so nothing has to be cleaned up, and no process id can be mistaken for another's.
 */

import { createHash } from "node:crypto";
import { open, stat, unlink } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join, relative } from "node:path";
import { DataDirError } from "./errors.js";

const NAME = "lock.sock";
/** Whoever has made this file may take away a lock that nobody holds. */
const TAKING = "lock.taking";
/** Taking one away needs milliseconds; older than this, the file was left behind by a crash. */
const STALE_MS = 10_000;
const LOOK_AGAIN_MS = 20;
/** How often somebody else may be faster at taking over a lock that nobody holds. */
const ATTEMPTS = 5;
/** The longest answer of whoever holds the lock, in milliseconds; a busy process is still alive. */
const ANSWER_WITHIN_MS = 1000;

export interface ProcessLock {
  release(): Promise<void>;
}

/** @throws DataDirError `in_use`, `unreadable` */
export async function lockFolder(folder: string): Promise<ProcessLock> {
  const address = await addressOf(folder);
  try {
    const server = await listenAlone(address.path, folder);
    return {
      async release() {
        await new Promise<void>((done) => server.close(() => done()));
        await address.close();
      },
    };
  } catch (error) {
    await address.close();
    throw error;
  }
}

async function listenAlone(path: string, folder: string): Promise<Server> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const server = await listen(path, folder);
    if (server) return server;
    const holder = await askOrTakeAway(folder, path);
    if (holder !== null) throw inUse(folder, holder);
  }
  throw inUse(folder, "");
}

/** Resolves to `null` when the address is taken. */
function listen(path: string, folder: string): Promise<Server | null> {
  return new Promise((done, failed) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(String(process.pid));
    });
    server.unref();
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") return done(null);
      failed(
        new DataDirError(
          "unreadable",
          `${folder} cannot hold a lock (${error.code ?? error.message})`,
          "Use a folder on a local disk that this user may write to.",
          error,
        ),
      );
    });
    server.listen(path, () => done(server));
  });
}

/** Who listens there, as a text that may be empty; `null` when nobody does. */
function ask(path: string): Promise<string | null> {
  return new Promise((done) => {
    let answer = "";
    const socket = connect(path);
    // A process that is stopped or busy does not answer, but the system lets us in: it lives.
    const timer = setTimeout(() => socket.destroy(), ANSWER_WITHIN_MS);
    let connected = false;
    socket.on("connect", () => {
      connected = true;
    });
    socket.on("data", (text) => {
      answer += String(text);
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      done(connected ? answer : null);
    });
  });
}

/**
 * Who listens, as a text that may be empty. When nobody does, the socket is removed, and the answer is `null`. One process at a
 * time does this: what was found dead might otherwise have been replaced by one that lives before it is removed.
 */
async function askOrTakeAway(folder: string, path: string): Promise<string | null> {
  const taking = join(folder, TAKING);
  while (!(await made(taking))) {
    if ((await ageOf(taking)) > STALE_MS) await removed(taking);
    else await new Promise((done) => setTimeout(done, LOOK_AGAIN_MS));
  }
  try {
    const holder = await ask(path);
    if (holder === null) await removed(join(folder, NAME));
    return holder;
  } finally {
    await removed(taking);
  }
}

/** Makes an empty file; false when there is one. */
async function made(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx", 0o600)).close();
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** Milliseconds; none when it is gone. */
async function ageOf(path: string): Promise<number> {
  try {
    return Date.now() - (await stat(path)).mtimeMs;
  } catch (error) {
    if (isCode(error, "ENOENT")) return 0;
    throw error;
  }
}

async function removed(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isCode(error, "ENOENT")) throw error;
  });
}

interface Address {
  readonly path: string;
  close(): Promise<void>;
}

/** Sockets have short paths only, so the shortest way to the folder is taken. */
async function addressOf(folder: string): Promise<Address> {
  if (process.platform === "win32") {
    const name = createHash("sha256").update(folder.toLowerCase()).digest("hex").slice(0, 32);
    return { path: `\\\\.\\pipe\\fanfare-${name}`, close: async () => {} };
  }
  if (process.platform === "linux") {
    const handle = await open(folder);
    return { path: `/proc/self/fd/${handle.fd}/${NAME}`, close: () => handle.close() };
  }
  const path = join(folder, NAME);
  const shorter = relative(process.cwd(), path);
  return { path: shorter.length < path.length ? shorter : path, close: async () => {} };
}

function inUse(folder: string, holder: string): DataDirError {
  const who = /^\d+$/.test(holder) ? `the process ${holder}` : "another process";
  return new DataDirError(
    "in_use",
    `${who} uses ${folder}`,
    "Stop it first, or give this one a dataDir of its own: two processes cannot share one.",
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
