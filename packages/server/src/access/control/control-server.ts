/**
 * Answers the command `fanfare` over a socket in `dataDir`, which only this user may open: such a caller could change the files as well. One
 * request for each connection, of bounded size and time. What can be asked is in `calls.ts`.
 */
import type { Socket } from "node:net";
import { asError, FanfareError } from "@fanfare/protocol";
import type { Clock, Timer } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import { type FolderSocket, listenInFolder } from "../../base/folder-socket.js";
import type { Log } from "../../base/log.js";
import { VERSION } from "../../base/package.js";
import { makePrivateFolder } from "../../base/private-folder.js";
import { answerTo, CONTROL_SOCKET, CONTROL_VERSION, type Control, MAX_REQUEST_BYTES } from "./calls.js";

/** How long a caller may take with its request. */
const REQUEST_WITHIN_MS = 5000;
/** When another server has the folder's socket, it may end: this one tries again after this long. */
const RETRY_MS = 5000;
const LF = 0x0a;

export interface ControlServerParts {
  /** Is made where there is none. */
  readonly folder: string;
  readonly control: Control;
  readonly clock: Clock;
  readonly failures: Failures;
  readonly log: Log;
}

export class ControlServer {
  readonly #parts: ControlServerParts;
  /** Resolves when it listens, or does not. Never rejects. */
  readonly begun: Promise<void>;
  #socket: FolderSocket | null = null;
  #retry: Timer | null = null;
  /** The latest try; never rejects. */
  #trying: Promise<void>;
  #told = false;
  #closed = false;

  constructor(parts: ControlServerParts) {
    this.#parts = parts;
    this.#trying = this.#begin();
    this.begun = this.#trying;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.cancel();
    await this.#trying;
    await this.#socket?.close();
  }

  async #begin(): Promise<void> {
    const { folder, log, clock, failures } = this.#parts;
    try {
      makePrivateFolder(folder);
      const begun = await listenInFolder(folder, CONTROL_SOCKET, (socket) => this.#connected(socket));
      if ("close" in begun) {
        this.#socket = begun;
        return;
      }
    } catch (error) {
      const remedy = "See that the server may write to its dataDir, on a local disk with a short path.";
      log.warn({ err: error, folder, remedy }, "the command fanfare cannot reach this server");
      return;
    }
    if (!this.#told) log.info({ folder }, "another server answers the command fanfare in this folder");
    this.#told = true;
    if (this.#closed) return;
    this.#retry = clock.after(RETRY_MS, () =>
      failures.inBackground("listening to the command", () => {
        this.#trying = this.#begin();
        return this.#trying;
      }),
    );
  }

  #connected(socket: Socket): void {
    const { clock, failures } = this.#parts;
    const guarded = <Args extends readonly unknown[]>(callback: (...args: Args) => void) =>
      failures.guarded("background", callback, () => socket.destroy());
    const timer = clock.after(REQUEST_WITHIN_MS, () => socket.destroy());
    socket.on("close", () => timer.cancel());
    const greeting = { fanfare: "control", protocol: CONTROL_VERSION, version: VERSION, pid: process.pid };
    socket.write(`${JSON.stringify(greeting)}\n`);
    const parts: Buffer[] = [];
    let bytes = 0;
    const read = (part: Buffer): void => {
      const end = part.indexOf(LF);
      bytes += end === -1 ? part.length : end;
      if (end === -1 && bytes <= MAX_REQUEST_BYTES) {
        parts.push(part);
        return;
      }
      // What comes after the line is not read.
      socket.off("data", onData);
      timer.cancel();
      if (bytes > MAX_REQUEST_BYTES) this.#say(socket, refusal(tooLarge()));
      else {
        parts.push(part.subarray(0, end));
        failures.inBackground("answering the command", () => this.#answer(socket, parts));
      }
    };
    const onData = guarded(read);
    socket.on("data", onData);
  }

  async #answer(socket: Socket, parts: readonly Buffer[]): Promise<void> {
    const { control, failures } = this.#parts;
    try {
      this.#say(socket, { answer: await answerTo(parsed(Buffer.concat(parts).toString()), control) });
    } catch (error) {
      if (!(error instanceof FanfareError)) failures.caught({ caller: "background", error });
      this.#say(socket, refusal(error));
    }
  }

  #say(socket: Socket, answer: object): void {
    // A caller that does not take the answer is not waited for.
    const timer = this.#parts.clock.after(REQUEST_WITHIN_MS, () => socket.destroy());
    socket.on("close", () => timer.cancel());
    socket.end(`${JSON.stringify(answer)}\n`, () => socket.destroy());
  }
}

/** @throws FanfareError `invalid_json` */
function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new FanfareError("invalid_json", `the request is no JSON: ${asError(error).message}`, {
      remedy: "Use the command fanfare.",
    });
  }
}

function tooLarge(): FanfareError {
  return new FanfareError("too_large", `the request is longer than ${MAX_REQUEST_BYTES} bytes`, {
    remedy: "Give fewer or shorter grants.",
  });
}

/** What went wrong inside is in the log. */
function refusal(error: unknown): object {
  const { code, message, remedy } =
    error instanceof FanfareError
      ? error
      : new FanfareError("internal", "the server could not do it; its log says why");
  return { error: { code, message, remedy } };
}
