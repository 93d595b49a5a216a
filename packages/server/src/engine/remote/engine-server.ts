/**
 * Serves an engine to other processes of this machine, over a socket in a folder that only this user may open. Each connection is a
 * node. A node that takes nothing costs a bounded amount of memory: it misses announcements, and is told so.
 */
import type { Socket } from "node:net";
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import { type Clock, systemClock, type Timer } from "../../base/clock.js";
import { Failures, guardedClock } from "../../base/failures.js";
import { type FolderSocket, listenInFolder } from "../../base/folder-socket.js";
import { checkKinds, checkOptions, membersOf } from "../../base/known-names.js";
import { guardedLog, type Log } from "../../base/log.js";
import type { Engine } from "../engine.js";
import type { LogEntry, LogListener, LossReason } from "../logs.js";
import { callsOf, type EngineCalls, isCallName } from "./calls.js";
import { FrameReader, FrameWriter } from "./frames.js";
import { type EngineMessage, type NodeMessage, REMOTE_VERSION, sentError } from "./messages.js";

/** The name of the socket in the folder. */
export const ENGINE_SOCKET = "engine.sock";

const MAX_WAITING_BYTES = 32 * 1024 * 1024;
/** With more waiting, of answers that is, the node is cut off. */
const CUT_OFF_BYTES = 256 * 1024 * 1024;

/** How often the engine is asked for its trouble. */
const TROUBLE_EVERY_MS = 500;

export interface EngineServerOptions {
  /** The engine; closing the server leaves it open. */
  readonly engine: Engine;
  /** The folder of the socket, where nodes look for it. It has to be there, and only this user should enter it. */
  readonly folder: string;
  /** @default nothing is logged */
  readonly logger?: Log;
  /** @default the machine's */
  readonly clock?: Clock;
  /** Asked before each append. @throws FanfareError `insufficient_storage` */
  readonly assertRoom?: () => void;
  /** With more bytes waiting, a node misses announcements until it has taken all of them. @default 32 MiB */
  readonly maxWaitingBytes?: number;
}

interface EngineServerParts extends EngineServerOptions {
  readonly clock: Clock;
  readonly failures: Failures;
}

const OPTIONS = membersOf<EngineServerOptions>({
  engine: true,
  folder: true,
  logger: true,
  clock: true,
  assertRoom: true,
  maxWaitingBytes: true,
});

export class EngineServer {
  readonly #nodes: ReadonlySet<ServedNode>;
  readonly #socket: FolderSocket;
  readonly #watching: Timer;

  private constructor(
    nodes: ReadonlySet<ServedNode>,
    socket: FolderSocket,
    { engine, clock }: EngineServerParts,
  ) {
    this.#nodes = nodes;
    this.#socket = socket;
    let told = engine.trouble ?? null;
    this.#watching = clock.every(TROUBLE_EVERY_MS, () => {
      const trouble = engine.trouble ?? null;
      if (trouble === told) return;
      told = trouble;
      for (const node of nodes) node.tellTrouble();
    });
  }

  /**
   * Listens, for nodes in other processes of this machine: see `RemoteEngine`.
   *
   * @throws FanfareError `unavailable` when another process serves an engine in this folder
   * @throws Error the system's, such as `EACCES`
   */
  static async open(options: EngineServerOptions): Promise<EngineServer> {
    checkOptions("EngineServer", options, OPTIONS);
    const needed = { ...options, engine: options.engine ?? null, folder: options.folder ?? null };
    checkKinds("EngineServer: ", needed, { engine: "an object", folder: "a text", logger: "an object" });
    const { clock = systemClock, logger } = options;
    const failures = new Failures(logger && guardedLog(logger));
    const parts = { ...options, failures, clock: guardedClock(clock, failures) };
    const nodes = new Set<ServedNode>();
    const socket = await listenInFolder(parts.folder, ENGINE_SOCKET, (connection) => {
      const node = new ServedNode(connection, parts);
      nodes.add(node);
      connection.on("close", () => nodes.delete(node));
    });
    if ("close" in socket) return new EngineServer(nodes, socket, parts);
    throw new FanfareError("unavailable", `another process serves an engine in ${parts.folder}`, {
      remedy: "Stop it first, or give this one a folder of its own.",
    });
  }

  /** Nodes that are connected. */
  get nodes(): number {
    return this.#nodes.size;
  }

  /** Cuts off all nodes. The engine stays open. */
  async close(): Promise<void> {
    this.#watching.cancel();
    await this.#socket.close();
  }
}

/** One node: its calls, its ears and its topics. */
class ServedNode {
  readonly #parts: EngineServerParts;
  readonly #socket: Socket;
  readonly #writer: FrameWriter;
  readonly #ears = new Map<number, Ear>();
  readonly #topics = new Map<string, () => void>();
  readonly #calls: EngineCalls;
  /** Since when it misses announcements, by the clock; `null` while it hears all. */
  #deafSince: number | null = null;

  constructor(socket: Socket, parts: EngineServerParts) {
    this.#parts = parts;
    this.#socket = socket;
    this.#calls = callsOf(parts.engine);
    const guarded = <Args extends readonly unknown[]>(callback: (...args: Args) => void) =>
      parts.failures.guarded("background", callback, () => socket.destroy());
    this.#writer = new FrameWriter(
      socket,
      parts.clock,
      guarded(() => this.#taken()),
    );
    const reader = new FrameReader((messages) => {
      for (const message of messages as NodeMessage[]) this.#take(message);
    });
    socket.on(
      "data",
      guarded((part: Buffer) => reader.read(part)),
    );
    socket.on(
      "close",
      guarded(() => this.#closed()),
    );
    const { engine } = parts;
    this.#say([
      "hello",
      {
        version: REMOTE_VERSION,
        durable: engine.durable,
        durableSpaces: engine.space("hello").durable,
        durableVolatileSpaces: engine.space("hello.volatile", { volatile: true }).durable,
        trouble: engine.trouble ?? null,
      },
    ]);
  }

  tellTrouble(): void {
    this.#say(["trouble", this.#parts.engine.trouble ?? null]);
  }

  /** Is there room for an announcement? */
  get hears(): boolean {
    if (this.#deafSince !== null) return false;
    const { clock, maxWaitingBytes = MAX_WAITING_BYTES } = this.#parts;
    if (this.#writer.waitingBytes <= maxWaitingBytes) return true;
    this.#deafSince = clock.now();
    return false;
  }

  /** @param text a message as JSON text */
  write(text: string): void {
    this.#writer.add(text);
  }

  #say(message: EngineMessage): void {
    if (this.#writer.waitingBytes > CUT_OFF_BYTES) {
      this.#socket.destroy();
      return;
    }
    this.#writer.add(JSON.stringify(message));
  }

  /** When the node has taken all, it is told what it has missed. */
  #taken(): void {
    if (this.#deafSince === null || this.#writer.waitingBytes > 0) return;
    const since = this.#deafSince;
    this.#deafSince = null;
    for (const ear of this.#ears.values()) this.#say(["deaf", ear.number, since]);
  }

  #closed(): void {
    for (const ear of this.#ears.values()) ear.close();
    for (const stop of this.#topics.values()) stop();
    this.#ears.clear();
    this.#topics.clear();
  }

  #take(message: NodeMessage): void {
    switch (message[0]) {
      case "call":
        this.#call(message[1], message[2], message[3]);
        break;
      case "listen":
        this.#listen(message[1], message[2], message[3]);
        break;
      case "unlisten":
        this.#ears.get(message[1])?.close();
        this.#ears.delete(message[1]);
        break;
      case "on":
        this.#on(message[1]);
        break;
      case "off":
        this.#topics.get(message[1])?.();
        this.#topics.delete(message[1]);
    }
  }

  #listen(number: number, channel: ChannelName, earNumber: number): void {
    const ear = this.#ears.get(earNumber) ?? new Ear(earNumber, channel, this, this.#parts.engine);
    this.#ears.set(earNumber, ear);
    this.#answer(number, channel, this.#parts.engine.logs.listen(channel, ear));
  }

  #on(topic: string): void {
    if (this.#topics.has(topic)) return;
    const stop = this.#parts.engine.signals.on(topic, (json) => {
      if (this.hears) this.#say(["signal", topic, json]);
    });
    this.#topics.set(topic, stop);
  }

  #call(number: number, name: string, args: readonly unknown[]): void {
    const channel = name === "append" ? (args[0] as ChannelName) : null;
    this.#answer(number, channel, this.#asked(name, args));
  }

  async #asked(name: string, args: readonly unknown[]): Promise<unknown> {
    const calls = this.#calls;
    if (name === "append") this.#parts.assertRoom?.();
    if (!isCallName(name, calls)) throw new FanfareError("internal", `an engine has no call "${name}"`);
    // They come from this package, in another process.
    const call = calls[name] as (...args: readonly unknown[]) => Promise<unknown>;
    return await call(...args);
  }

  /** @param channel that the call may change */
  #answer(number: number, channel: ChannelName | null, answer: Promise<unknown>): void {
    answer.then(
      (value) => this.#say(["answer", number, value ?? null]),
      (error: unknown) => this.#say(["error", number, sentError(error, channel)]),
    );
  }
}

/** The texts of entries, for all nodes that are told one after the other. */
let lastEntry: LogEntry | null = null;
let lastText = "";

function textOf(entry: LogEntry): string {
  if (entry !== lastEntry) {
    lastEntry = entry;
    lastText = JSON.stringify(entry);
  }
  return lastText;
}

/** A listener of a node. */
class Ear implements LogListener {
  readonly number: number;
  readonly channel: ChannelName;
  readonly #node: ServedNode;
  readonly #engine: Engine;

  constructor(number: number, channel: ChannelName, node: ServedNode, engine: Engine) {
    this.number = number;
    this.channel = channel;
    this.#node = node;
    this.#engine = engine;
  }

  message(entry: LogEntry): void {
    if (this.#node.hears) this.#node.write(`["entry",${this.number},${textOf(entry)}]`);
  }

  reset(position: Position, reason: LossReason): void {
    if (this.#node.hears) this.#node.write(JSON.stringify(["reset", this.number, position, reason]));
  }

  deaf(since: number): void {
    if (this.#node.hears) this.#node.write(JSON.stringify(["deaf", this.number, since]));
  }

  close(): void {
    this.#engine.logs.unlisten(this.channel, this);
  }
}
