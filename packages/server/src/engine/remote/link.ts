/**
 * A node's connection to the process that has the engine: calls and their answers, and a new connection when one is lost. It begins with
 * the greeting. Calls without a connection fail at once, and so do those that wait when it is lost.
 */
import type { Socket } from "node:net";
import { FanfareError, type Position } from "@fanfare/protocol";
import type { Clock, Timer } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import { connectInFolder } from "../../base/folder-socket.js";
import { inTime } from "../../base/in-time.js";
import type { CallName, EngineCalls } from "./calls.js";
import { ENGINE_SOCKET } from "./engine-server.js";
import { FrameReader, FrameWriter } from "./frames.js";
import {
  type EngineMessage,
  type Greeting,
  type NodeMessage,
  REMOTE_VERSION,
  receivedError,
} from "./messages.js";

const CONNECT_WITHIN_MS = 5000;
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 2000;

export interface LinkParts {
  readonly folder: string;
  readonly clock: Clock;
  readonly failures: Failures;
}

/** Hears of the connection. */
export interface LinkListener {
  /** A message of the engine that is no answer. */
  told(message: EngineMessage): void;
  /** Calls work again; they did not since then, by the clock. */
  reconnected(since: number): void;
}

interface Waiting {
  /** The state that a change expects. */
  readonly base: Position | null;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

export class Link {
  readonly greeting: Greeting;
  readonly #parts: LinkParts;
  readonly #listener: LinkListener;
  readonly #calls = new Map<number, Waiting>();
  #socket: Socket | null = null;
  #writer: FrameWriter | null = null;
  #number = 0;
  #retry: Timer | null = null;
  #retryMs = FIRST_RETRY_MS;
  #lostAt = 0;
  #closed = false;

  private constructor(opened: OpenedSocket, parts: LinkParts, listener: LinkListener) {
    this.greeting = opened.greeting;
    this.#parts = parts;
    this.#listener = listener;
    this.#use(opened);
  }

  /** @throws FanfareError `unavailable` when no process serves an engine in the folder, or it is of another version */
  static async open(parts: LinkParts, listener: LinkListener): Promise<Link> {
    return new Link(await openSocket(parts), parts, listener);
  }

  call<Name extends CallName>(
    name: Name,
    ...args: Parameters<EngineCalls[Name]>
  ): ReturnType<EngineCalls[Name]> {
    const [, draft] = args as readonly unknown[];
    const base =
      name === "append" && isObject(draft) && "base" in draft ? (draft.base as Position | null) : null;
    return this.ask((number) => ["call", number, name, args], base) as ReturnType<EngineCalls[Name]>;
  }

  /** @param base the state that a change expects */
  ask(messageOf: (number: number) => NodeMessage, base: Position | null = null): Promise<unknown> {
    const writer = this.#writer;
    if (!writer) return Promise.reject(this.#unavailable());
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#calls.set(number, { base, resolve, reject });
      writer.add(JSON.stringify(messageOf(number)));
    });
  }

  /** Says something that has no answer; without a connection, nothing. */
  say(message: NodeMessage): void {
    this.#writer?.add(JSON.stringify(message));
  }

  get isConnected(): boolean {
    return this.#writer !== null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.cancel();
    this.#writer?.flush();
    this.#socket?.end();
    this.#failAll();
    this.#writer = null;
  }

  #use({ socket, onMessages }: OpenedSocket): void {
    this.#socket = socket;
    this.#writer = new FrameWriter(socket, this.#parts.clock);
    this.#retryMs = FIRST_RETRY_MS;
    onMessages((messages) => {
      for (const message of messages) this.#take(message);
    });
    socket.on(
      "close",
      this.#parts.failures.guarded("background", () => this.#lost(socket)),
    );
  }

  #take(message: EngineMessage): void {
    if (message[0] !== "answer" && message[0] !== "error") {
      this.#listener.told(message);
      return;
    }
    const call = this.#calls.get(message[1]);
    this.#calls.delete(message[1]);
    if (message[0] === "answer") call?.resolve(message[2]);
    else call?.reject(receivedError(message[2], call.base));
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket || this.#closed) return;
    this.#socket = null;
    this.#writer = null;
    this.#lostAt = this.#parts.clock.now();
    this.#failAll();
    this.#connectLater();
  }

  #failAll(): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(this.#unavailable());
  }

  #connectLater(): void {
    const { clock, failures } = this.#parts;
    this.#retry = clock.after(this.#retryMs, () =>
      failures.inBackground("connecting to the engine", () => this.#connect()),
    );
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
  }

  async #connect(): Promise<void> {
    let opened: OpenedSocket;
    try {
      opened = await openSocket(this.#parts);
    } catch (error) {
      if (!this.#closed) this.#connectLater();
      throw error;
    }
    if (this.#closed) {
      opened.socket.destroy();
      return;
    }
    this.#use(opened);
    this.#listener.reconnected(this.#lostAt);
  }

  #unavailable(): FanfareError {
    if (this.#closed) return new FanfareError("unavailable", "the engine is closed");
    return new FanfareError("unavailable", "the process that has the engine cannot be reached", {
      retryAfterSeconds: 1,
    });
  }
}

interface OpenedSocket {
  readonly socket: Socket;
  readonly greeting: Greeting;
  /** Gives all that has come after the greeting, and what will come. */
  onMessages(take: (messages: readonly EngineMessage[]) => void): void;
}

/** @throws FanfareError `unavailable` */
async function openSocket({ folder, clock, failures }: LinkParts): Promise<OpenedSocket> {
  const socket = await connectInFolder(folder, ENGINE_SOCKET);
  if (!socket) throw nonePresent(folder);
  let early: EngineMessage[] = [];
  let take = (messages: readonly EngineMessage[]): void => {
    early.push(...messages);
    greeted();
  };
  let greeted = () => {};
  const first = new Promise<void>((resolve) => {
    greeted = resolve;
  });
  const reader = new FrameReader((messages) => take(messages as EngineMessage[]));
  // Its close is told by `close`, which follows.
  socket.on("error", () => {});
  socket.on("close", () => greeted());
  socket.on(
    "data",
    failures.guarded(
      "background",
      (part: Buffer) => reader.read(part),
      () => socket.destroy(),
    ),
  );
  await inTime(clock, CONNECT_WITHIN_MS, first);
  const [hello] = early;
  if (hello?.[0] !== "hello" || hello[1].version !== REMOTE_VERSION) {
    socket.destroy();
    throw hello ? otherVersion(folder) : nonePresent(folder);
  }
  return {
    socket,
    greeting: hello[1],
    onMessages(taken) {
      take = taken;
      taken(early.slice(1));
      early = [];
    },
  };
}

function nonePresent(folder: string): FanfareError {
  return new FanfareError("unavailable", `no process serves an engine in ${folder}`, {
    remedy: "Start the process that has the engine first, and give both the same folder.",
    retryAfterSeconds: 1,
  });
}

function otherVersion(folder: string): FanfareError {
  return new FanfareError(
    "unavailable",
    `the process that serves an engine in ${folder} is of another version`,
    {
      remedy: "Run the same version of Fanfare in all processes.",
    },
  );
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
