/** What the engine suite needs to know of an engine, and the tools with which its tests are written. */
import { type ChannelName, type Epoch, type Position, parseChannelName, parseEpoch } from "@fanfare/protocol";
import { onTestFinished } from "vitest";
import { FakeClock } from "../../testing/fake-clock.js";
import type {
  Appended,
  ChannelState,
  Draft,
  Engine,
  LogEntry,
  LogListener,
  ReadLimit,
  Retention,
} from "../engine.js";
import { DEFAULT_SHARE, type Share } from "../shares.js";

/** A fake clock whose time of day somebody can set back, as on a real machine. */
export class WallClock extends FakeClock {
  #behindMs = 0;

  override now(): number {
    return super.now() - this.#behindMs;
  }

  turnBack(ms: number): void {
    this.#behindMs += ms;
  }
}

/** The bounds that a test asks the engine to keep. */
interface EngineLimits {
  readonly maxChannels: number;
  readonly maxStubs: number;
  readonly maxIdempotencyKeys: number;
  readonly maxSessions: number;
  readonly idempotencyTtlMs: number;
  readonly forgetAfterMs: number;
  readonly share: Share;
}

interface HarnessContext {
  /** To be given to the engine, unless the engine cannot take its time from it. */
  readonly clock: WallClock;
  /** To be given to the engine where it has such a bound. */
  readonly limits: EngineLimits;
}

/** One engine, empty at the beginning, and what can be done to it. What is left out, the engine lacks: tests are skipped. */
interface Harness {
  readonly engine: Engine;
  /** Another node's engine over the same logs and sessions. Left out where there can be no other node. */
  readonly peer?: Engine;
  /**
   * Lets time pass on the clock of the context, which has to be the engine's own. What is due a second or more before
   * the end, such as forgetting, has been done when this answers. Left out where the engine's time is not ours.
   */
  readonly passTime?: (ms: number) => Promise<void> | void;
  readonly startOver?: (channel: ChannelName) => Promise<unknown>;
  /** Lets the log of a channel go on in another epoch, as after a fail-over. Some of the newest entries may get lost. */
  readonly goOn?: (channel: ChannelName) => Promise<unknown>;
  /** The limits of the context that this engine does not keep. */
  readonly ignores?: readonly (keyof EngineLimits)[];
  /** Cleans up after the engines were closed. */
  readonly dispose?: () => Promise<void> | void;
}

export type MakeHarness = (context: HarnessContext) => Promise<Harness> | Harness;

export interface Opened extends Harness {
  readonly clock: WallClock;
  readonly peer: Engine;
  /** Closes the engines before the test ends. */
  close(): Promise<void>;
}

/** Makes an engine for one test, and closes it at the end of the test. */
export type Open = (limits?: Partial<EngineLimits>) => Promise<Opened>;

/** The limits that hold where a test asks for nothing else: those of the contract. */
const CONTRACT_LIMITS: EngineLimits = {
  maxChannels: 1_000_000,
  maxStubs: 100_000,
  maxIdempotencyKeys: 100_000,
  maxSessions: 100_000,
  idempotencyTtlMs: 5 * 60_000,
  forgetAfterMs: 60 * 60_000,
  share: DEFAULT_SHARE,
};

export function opener(make: MakeHarness): Open {
  return async (limits = {}) => {
    const clock = new WallClock();
    const harness = await make({ clock, limits: { ...CONTRACT_LIMITS, ...limits } });
    const { engine, peer = engine } = harness;
    let open = true;
    const close = async () => {
      if (!open) return;
      open = false;
      await engine.close();
      if (peer !== engine) await peer.close();
      await harness.dispose?.();
    };
    onTestFinished(close);
    return { ...harness, clock, peer, close };
  };
}

export const QUIET = parseChannelName("quiet");
export const BUSY = parseChannelName("busy:1");
export const OTHER = parseChannelName("other:2");
export const FOREIGN: Epoch = parseEpoch("00000000deadbeef");

export const KEEP_ALL: Retention = { messages: 1000, ageMs: 24 * 3_600_000 };
export const NO_LIMIT: ReadLimit = { messages: 10_000, bytes: 2 ** 30 };

/** A message to append: a number, a text, or any JSON. */
export function draft(value: unknown, parts: Partial<Draft> = {}): Draft {
  return { event: "message", json: JSON.stringify(value), ...parts };
}

/** Sets the state, whatever it was; `null` removes it. */
export async function setState(
  engine: Engine,
  channel: ChannelName,
  value: object | null,
  retention = KEEP_ALL,
  owner?: string,
): Promise<Appended> {
  const json = JSON.stringify(value);
  const base = baseOf(await engine.logs.state(channel));
  const draft = { change: "value", json, state: value && json, base, ...(owner && { owner }) } as const;
  return await engine.logs.append(channel, draft, retention);
}

/** What a change of this state builds on. */
export function baseOf({ epoch, offset, json }: ChannelState): Position | null {
  return json === null ? null : { epoch, offset };
}

/** Appends one after the other, and answers with the last position. */
export async function appendAll(
  engine: Engine,
  channel: ChannelName,
  values: readonly unknown[],
  retention = KEEP_ALL,
): Promise<Position> {
  let position: Position | undefined;
  for (const value of values) {
    const { epoch, offset } = await engine.logs.append(channel, draft(value), retention);
    position = { epoch, offset };
  }
  if (!position) throw new Error("nothing to append");
  return position;
}

export async function headOf(engine: Engine, channel: ChannelName): Promise<Position> {
  const [head] = await engine.logs.heads([channel]);
  if (!head) throw new Error(`no head for ${channel}`);
  return head;
}

export function offsetsOf(messages: readonly LogEntry[]): number[] {
  return messages.map(({ offset }) => offset);
}

export function valuesOf(messages: readonly LogEntry[]): unknown[] {
  return messages.map(({ json }) => JSON.parse(json));
}

export function numbersTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** Longer than this, no announcement takes in a test. */
const DEADLINE_MS = 10_000;

/** A listener that remembers what it heard, and can be waited for. */
export class Heard implements LogListener {
  readonly messages: LogEntry[] = [];
  readonly resets: { readonly position: Position; readonly reason: string }[] = [];
  readonly deafSince: number[] = [];
  #wake = () => {};

  message(message: LogEntry): void {
    this.messages.push(message);
    this.#wake();
  }

  reset(position: Position, reason: string): void {
    this.resets.push({ position, reason });
    this.#wake();
  }

  deaf(since: number): void {
    this.deafSince.push(since);
    this.#wake();
  }

  /** The offsets it heard, sorted, each once. */
  get offsets(): number[] {
    return [...new Set(offsetsOf(this.messages))].sort((a, b) => a - b);
  }

  /** Waits for announcements until this holds, and fails when it never does. */
  async until(what: string, holds: () => boolean): Promise<void> {
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      this.#wake();
    }, DEADLINE_MS);
    while (!holds() && !late) {
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    clearTimeout(deadline);
    if (!holds())
      throw new Error(`${what} did not happen; heard were the offsets ${this.offsets.join(", ")}`);
  }

  untilOffset(offset: number): Promise<void> {
    return this.until(`offset ${offset}`, () => this.offsets.includes(offset));
  }
}
