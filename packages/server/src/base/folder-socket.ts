/**
 * A socket in a folder, by which other processes of this machine reach the one that uses the folder. The system closes it when that process
 * ends, however it ends, so no process id can be mistaken for another's. Knows nothing of the protocol.
 */
import { createHash } from "node:crypto";
import { chmod, open, unlink } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join, relative } from "node:path";
import { alone } from "./file-lock.js";

/** How often another process may be faster at taking over a socket that a killed process has left. */
const ATTEMPTS = 5;
/** The longest greeting of the listener, in milliseconds; a busy process is still alive. */
const GREETING_WITHIN_MS = 1000;
const MAX_GREETING = 1000;
/** Further ones are closed at once. */
const MAX_CONNECTIONS = 64;
/** None can listen at a path that is too long, either. */
const NONE_LISTENS = ["ENOENT", "ENOTDIR", "ECONNREFUSED", "ENOTSOCK", "ENAMETOOLONG", "EINVAL"];
/** Beside the name of a socket: a process that holds this lock may take away a socket without a listener. */
const TAKING = ".taking";

export interface FolderSocket {
  /** Ends all of its connections, too. */
  close(): Promise<void>;
}

/** Another process listens. */
export interface Taken {
  /** Its first line, or what it said in a second: may be empty. */
  readonly greeting: string;
}

/**
 * Listens, unless another process does. Does not keep the process alive.
 *
 * @param folder has to be there
 * @throws Error the system's, such as `EACCES`
 */
export async function listenInFolder(
  folder: string,
  name: string,
  connected: (socket: Socket) => void,
): Promise<FolderSocket | Taken> {
  const address = await addressOf(folder, name);
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const close = await listen(address.path, join(folder, name), connected);
      if (close) {
        return {
          async close() {
            await close();
            await address.close();
          },
        };
      }
      const greeting = await askOrTakeAway(folder, name, address.path);
      if (greeting === null) continue;
      await address.close();
      return { greeting };
    }
    await address.close();
    return { greeting: "" };
  } catch (error) {
    await address.close();
    throw error;
  }
}

/** Reaches the process that listens; `null` when none does. @throws Error the system's, such as `EACCES` */
export async function connectInFolder(folder: string, name: string): Promise<Socket | null> {
  const address = await addressOf(folder, name).catch((error: unknown) => {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  });
  if (!address) return null;
  try {
    return await connected(address.path);
  } finally {
    await address.close();
  }
}

/** Resolves to `null` when no process listens. */
function connected(path: string): Promise<Socket | null> {
  return new Promise((done, failed) => {
    const socket = connect(path);
    const refused = (error: Error) => {
      if (hasCode(error, ...NONE_LISTENS)) done(null);
      else failed(error);
    };
    socket.once("error", refused);
    socket.once("connect", () => {
      socket.off("error", refused);
      done(socket);
    });
  });
}

/** @returns what ends it; `null` when the address is taken */
function listen(
  path: string,
  file: string,
  connected: (socket: Socket) => void,
): Promise<(() => Promise<void>) | null> {
  return new Promise((done, failed) => {
    let isPrivate = false;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      socket.on("error", () => {});
      if (!isPrivate || sockets.size >= MAX_CONNECTIONS) {
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      connected(socket);
    });
    server.unref();
    const close = () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        for (const socket of sockets) socket.destroy();
      });
    server.on("error", (error) => {
      if (hasCode(error, "EADDRINUSE")) done(null);
      else failed(error);
    });
    // Not by way of the process that started this one, as in a cluster.
    server.listen({ path, exclusive: true }, () => {
      // On Windows it is no file, and others may not write to it.
      const closedToOthers = process.platform === "win32" ? Promise.resolve() : chmod(file, 0o600);
      closedToOthers.then(
        () => {
          isPrivate = true;
          done(close);
        },
        (error: unknown) => {
          server.close();
          failed(error);
        },
      );
    });
  });
}

/**
 * Answers as the listener does. Without a listener it removes the socket and answers `null`. One process at a time does this: otherwise a
 * living socket might have replaced the dead one before it is removed.
 */
function askOrTakeAway(folder: string, name: string, path: string): Promise<string | null> {
  return alone(join(folder, `${name}${TAKING}`), async () => {
    const greeting = await greetingOf(path);
    if (greeting === null) {
      await unlink(join(folder, name)).catch((error: unknown) => {
        if (!hasCode(error, "ENOENT")) throw error;
      });
    }
    return greeting;
  });
}

async function greetingOf(path: string): Promise<string | null> {
  const socket = await connected(path);
  if (!socket) return null;
  return await new Promise((done) => {
    let text = "";
    // A process that is stopped or busy does not answer, but the system lets us in: it lives.
    const timer = setTimeout(() => socket.destroy(), GREETING_WITHIN_MS);
    socket.on("data", (bytes) => {
      text += String(bytes);
      if (text.includes("\n") || text.length > MAX_GREETING) socket.destroy();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      done(text.split("\n")[0] ?? "");
    });
  });
}

interface Address {
  readonly path: string;
  close(): Promise<void>;
}

/** Sockets have short paths only (104 to 108 bytes), so the shortest way to the folder is taken: on Linux it always fits. */
async function addressOf(folder: string, name: string): Promise<Address> {
  if (process.platform === "win32") {
    const digest = createHash("sha256").update(join(folder, name).toLowerCase()).digest("hex").slice(0, 32);
    return { path: `\\\\.\\pipe\\fanfare-${digest}`, close: async () => {} };
  }
  if (process.platform === "linux") {
    const handle = await open(folder);
    return { path: `/proc/self/fd/${handle.fd}/${name}`, close: () => handle.close() };
  }
  const path = join(folder, name);
  const shorter = relative(process.cwd(), path);
  return { path: shorter.length < path.length ? shorter : path, close: async () => {} };
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
