/** A client's connection for tests: frames are lines of JSON, and it reads when, and as much as, the test says. */
import type { FanfareError, GapReason, JsonObject, Member } from "@fanfare/protocol";
import type { Message } from "../engine/engine.js";
import type { Connection } from "../hub/delivery/connection.js";
import type {
  Encoding,
  EndReason,
  Gap,
  PresenceNews,
  Sink,
  StateNews,
  Subscribed,
  Subscriber,
} from "../hub/terms/subscriber.js";

/** A frame as the client reads it; which members are there depends on `type`. */
export type Frame =
  | {
      type: "message";
      channel: string;
      offset: number;
      time: number;
      event: string;
      data: unknown;
      id?: string;
    }
  | { type: "gap"; channel: string; epoch: string; from: number; to: number; reason: GapReason }
  | StateFrame
  | PresenceFrame
  | SubscribedFrame
  | { type: "error"; request?: number; channel: string; code: string }
  | { type: "ok"; request: number }
  | { type: "answer"; text: string };

export interface StateFrame {
  type: "state";
  channel: string;
  from: number;
  offset: number;
  patch?: JsonObject;
  value?: JsonObject | null;
}

interface PresenceFrame {
  type: "presence";
  channel: string;
  count: number;
  joined?: Member[];
  left?: string[];
  members?: Member[];
  page?: number;
  more?: boolean;
}

export interface SubscribedFrame {
  type: "subscribed";
  request?: number;
  channel: string;
  epoch: string;
  offset: number;
  head: number;
  recovered: boolean;
  reason?: GapReason;
  state?: JsonObject | null;
  stateOffset?: number;
  presence?: { count: number; members?: Member[] };
}

const text = new TextEncoder();
export const line = (frame: object): Uint8Array => text.encode(`${JSON.stringify(frame)}\n`);

/** One JSON object on a line for each frame, without a message's epoch, as on the wire. Counts what it encodes. */
export class LineEncoding implements Encoding {
  messages = 0;
  states = 0;
  gaps = 0;
  presences = 0;

  message({ channel, offset, time, event, json, id }: Message): Uint8Array {
    this.messages++;
    const head = JSON.stringify({ type: "message", channel, offset, time, event, id });
    return text.encode(`${head.slice(0, -1)},"data":${json}}\n`);
  }
  gap({ channel, epoch, from, to, reason }: Gap): Uint8Array {
    this.gaps++;
    return line({ type: "gap", channel, epoch, from, to, reason });
  }
  state({ channel, from, offset, change, json }: StateNews): Uint8Array {
    this.states++;
    return line({ type: "state", channel, from, offset, [change]: JSON.parse(json) });
  }
  presence({ joined, left, members, ...news }: PresenceNews): Uint8Array {
    this.presences++;
    return line({
      type: "presence",
      ...news,
      ...(joined !== undefined && { joined: JSON.parse(joined) }),
      ...(left !== undefined && { left: JSON.parse(left) }),
      ...(members !== undefined && { members: JSON.parse(members) }),
    });
  }
  subscribed({ state, presence, ...answer }: Subscribed): Uint8Array {
    return line({
      type: "subscribed",
      ...answer,
      ...(state !== undefined && { state: JSON.parse(state) }),
      ...(presence !== undefined && { presence: JSON.parse(presence) }),
    });
  }
  refused(request: number | undefined, channel: string, { code }: FanfareError): Uint8Array {
    return line({ type: "error", request, channel, code });
  }
  done(request: number): Uint8Array {
    return line({ type: "ok", request });
  }
}

/** `at once`: everything is read as it is written. `next turn`: a turn later. `not`: only by `read`. */
export type Reading = "at once" | "next turn" | "not";

export interface FakeSubscriberOptions {
  /** @default an encoding of its own */
  readonly encoding?: Encoding;
  readonly reading?: Reading;
  /** Full when so many bytes wait. @default 16 KiB */
  readonly highWaterMark?: number;
}

export class FakeSubscriber implements Subscriber, Sink {
  readonly door = "fake";
  readonly sink: Sink = this;
  readonly encoding: Encoding;
  readonly highWaterMark: number;
  /** The very objects that were written. */
  readonly writes: Uint8Array[] = [];
  /** What the client has read. */
  readonly frames: Frame[] = [];
  /** What the hub did that a subscriber must never see. */
  readonly faults: string[] = [];
  paused = false;
  pauses = 0;
  ended: EndReason | null = null;
  /** The most bytes that ever waited. */
  mostWaiting = 0;
  #connection: Connection | null = null;
  #reading: Reading;
  #queue: Uint8Array[] = [];
  #waitingBytes = 0;
  #full = false;
  #corks = 0;
  #left = false;
  #readDue = false;
  /** What was lost when it left. */
  #lost: Uint8Array[] = [];

  constructor({ encoding, reading = "at once", highWaterMark = 16 * 1024 }: FakeSubscriberOptions = {}) {
    this.encoding = encoding ?? new LineEncoding();
    this.#reading = reading;
    this.highWaterMark = highWaterMark;
  }

  // ---- what the hub sees

  write(bytes: Uint8Array): boolean {
    if (this.#full) this.faults.push("written to while full");
    if (this.#left) this.faults.push("written to after it had left");
    if (bytes.length === 0) this.faults.push("an empty write");
    this.writes.push(bytes);
    this.#queue.push(bytes);
    this.#waitingBytes += bytes.length;
    this.mostWaiting = Math.max(this.mostWaiting, this.#waitingBytes);
    if (this.#reading === "at once") this.#take(Number.POSITIVE_INFINITY);
    else if (this.#reading === "next turn") this.#readSoon();
    this.#full = this.#waitingBytes >= this.highWaterMark;
    return !this.#full;
  }
  cork(): void {
    this.#corks++;
  }
  uncork(): void {
    if (--this.#corks < 0) this.faults.push("uncorked more often than corked");
  }
  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  pauseReading(): void {
    if (this.paused) this.faults.push("paused twice");
    this.paused = true;
    this.pauses++;
  }
  resumeReading(): void {
    if (!this.paused) this.faults.push("resumed while not paused");
    this.paused = false;
  }
  failedInside(error: unknown): void {
    this.faults.push(String(error));
  }
  end(reason: EndReason): void {
    this.ended = reason;
    this.#left = true;
  }

  // ---- what the test does

  /** To be called with what `hub.open` gave. */
  belongsTo(connection: Connection): void {
    this.#connection = connection;
  }

  get connection(): Connection {
    if (!this.#connection) throw new TypeError("the subscriber has not been opened");
    return this.#connection;
  }

  get reading(): Reading {
    return this.#reading;
  }

  /** From now on it reads like this. What waits is read too, unless it is to read nothing. */
  set reading(reading: Reading) {
    this.#reading = reading;
    if (reading === "at once") this.read();
    else if (reading === "next turn") this.#readSoon();
  }

  /** Reads whole writes until so many bytes are read; says that it is drained when nothing waits any more. */
  read(bytes = Number.POSITIVE_INFINITY): void {
    this.#take(bytes);
    if (this.#queue.length > 0 || !this.#full) return;
    this.#full = false;
    this.#connection?.drained();
  }

  /** All that was written, read or not. */
  get written(): Frame[] {
    return [...this.frames, ...[...this.#lost, ...this.#queue].flatMap((chunk) => this.#parse(chunk))];
  }

  /** The client goes away; what it has not read is lost. */
  leave(): void {
    this.#left = true;
    this.#lost.push(...this.#queue);
    this.#queue = [];
    this.#waitingBytes = 0;
    this.#connection?.leave();
  }

  get corked(): boolean {
    return this.#corks > 0;
  }

  /** What has been read, in few words: `subscribed 0`, `1`, `gap 2-3 too_slow`, `ok 7`, `error 7 forbidden`. */
  get story(): string[] {
    return this.frames.map(inFewWords);
  }

  #take(bytes: number): void {
    let left = bytes;
    while (left > 0) {
      const chunk = this.#queue.shift();
      if (!chunk) return;
      left -= chunk.length;
      this.#waitingBytes -= chunk.length;
      this.frames.push(...this.#parse(chunk));
    }
  }

  #parse(chunk: Uint8Array): Frame[] {
    const lines = new TextDecoder().decode(chunk).split("\n");
    if (lines.pop() !== "") this.faults.push("a write that does not end with a whole frame");
    return lines.map((each) => JSON.parse(each) as Frame);
  }

  #readSoon(): void {
    if (this.#readDue) return;
    this.#readDue = true;
    setImmediate(() => {
      this.#readDue = false;
      if (this.#reading === "next turn" && !this.#left) this.read();
    });
  }
}

function inFewWords(frame: Frame): string {
  switch (frame.type) {
    case "message":
      return `${frame.offset}`;
    case "gap":
      return `gap ${frame.from}-${frame.to} ${frame.reason}`;
    case "state":
      return `state ${frame.from}-${frame.offset} ${JSON.stringify(frame.patch ?? { value: frame.value })}`;
    case "presence":
      return presenceInFewWords(frame);
    case "subscribed":
      return `subscribed ${frame.offset}${frame.recovered ? " recovered" : ""}${frame.reason ? ` ${frame.reason}` : ""}`;
    case "error":
      return `error ${frame.request} ${frame.code}`;
    case "ok":
      return `ok ${frame.request}`;
    case "answer":
      return frame.text;
  }
}

/** `presence 2 +user:a -user:b`: two are there, a has come and b has gone; `presence 2 =user:a,user:b`: the list. */
function presenceInFewWords({ count, joined = [], left = [], members }: PresenceFrame): string {
  const list = members ? [`=${members.map(({ id }) => id)}`] : [];
  const changes = [...joined.map(({ id }) => `+${id}`), ...left.map((id) => `-${id}`)];
  return ["presence", count, ...list, ...changes].join(" ");
}
