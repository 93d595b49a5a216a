/**
 * Sequences: named counters that never give a number twice. Each is the state of a channel of its own, `{"last": 17}`, changed by
 * compare-and-set; whoever subscribes to that channel sees the last number. Those who ask at the same time share one change.
 */
import {
  type ChannelName,
  FanfareError,
  ownChannel,
  type Position,
  plainName,
  quote,
  type SequenceRecord,
} from "@fanfare/protocol";
import type { ChannelState, IdempotencyKey } from "../engine/engine.js";
import { checkName } from "./draft.js";
import type { Hub } from "./hub.js";
import type { Next } from "./state-changes.js";

/** The most numbers that can be taken at once. */
export const MAX_COUNT = 1000;

export interface NextInput {
  /** How many numbers, 1 to 1,000. @default 1 */
  readonly count?: number | undefined;
  /** The first number of a sequence that has given none yet: 0 to 2^53 − 1. @default 1 */
  readonly start?: number | undefined;
  /** Idempotency key, 1 to 200 characters: the same call with the same key is given the same numbers for 5 minutes. */
  readonly key?: string | undefined;
  /** Who asks, for the scope of the idempotency key. @default "server" */
  readonly principal?: string | undefined;
}

/** The numbers from `first` to `last`, both included, belong to whoever asked, and to nobody else. */
export interface Numbers {
  readonly first: number;
  readonly last: number;
  /** Are they remembered as given, should the process end? */
  readonly durable: boolean;
}

/** Somebody who asks. */
interface Asking {
  readonly count: number;
  readonly start: number;
  readonly idempotency: IdempotencyKey | undefined;
  readonly answer: (numbers: Numbers) => void;
  readonly refuse: (error: unknown) => void;
}

/** Somebody whose numbers are known, once the change is made. */
interface Served {
  readonly asking: Asking;
  /** `null` where the sequence has not enough numbers left. */
  readonly last: number | null;
}

export class Sequences {
  readonly #hub: Hub;
  /** Those who wait, in the order in which they asked; a list is there while somebody is served. */
  readonly #waiting = new Map<ChannelName, Asking[]>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /**
   * Takes the next numbers.
   *
   * @throws FanfareError `invalid_request`, `sequence_exhausted`, `key_reused`, `too_many_channels`, `insufficient_storage`,
   * `unavailable`; then it may be that numbers were taken which nobody has
   */
  next(name: ChannelName, { count = 1, start = 1, key, principal = "server" }: NextInput = {}) {
    return new Promise<Numbers>((answer, refuse) => {
      checkCount(count);
      checkStart(start);
      if (key !== undefined) checkName("key", key);
      const idempotency = key === undefined ? undefined : { key, principal, request: `next ${count}` };
      const asking: Asking = { count, start, idempotency, answer, refuse };
      const channel = ownChannel("sequence", name);
      const waiting = this.#waiting.get(channel);
      if (waiting) {
        waiting.push(asking);
        return;
      }
      const list = [asking];
      this.#waiting.set(channel, list);
      void this.#serve(channel, list);
    });
  }

  /** The number that was given last; `null` when none was. @throws FanfareError `unavailable` */
  async last(name: ChannelName): Promise<number | null> {
    return lastOf(await this.#hub.state(ownChannel("sequence", name)));
  }

  async #serve(channel: ChannelName, waiting: Asking[]): Promise<void> {
    for (;;) {
      const [first] = waiting;
      if (!first) break;
      if (first.idempotency) {
        waiting.shift();
        await this.#serveAlone(channel, first, first.idempotency);
      } else await this.#serveTogether(channel, waiting);
    }
    this.#waiting.delete(channel);
  }

  /** Everybody without a key who has asked by the time that the state is known. */
  async #serveTogether(channel: ChannelName, waiting: Asking[]): Promise<void> {
    const together: Asking[] = [];
    let served: Served[] = [];
    try {
      await this.#hub.updateState(channel, (present) => {
        const keyed = waiting.findIndex(({ idempotency }) => idempotency);
        together.push(...waiting.splice(0, keyed < 0 ? waiting.length : keyed));
        served = share(together, lastOf(present));
        return changeTo(served.findLast(({ last }) => last !== null)?.last ?? null);
      });
    } catch (error) {
      // Where not even the state could be read, nobody has been taken from the list.
      for (const { refuse } of together.length > 0 ? together : waiting.splice(0)) refuse(error);
      return;
    }
    for (const each of served) this.#settle(channel, each);
  }

  async #serveAlone(channel: ChannelName, asking: Asking, idempotency: IdempotencyKey): Promise<void> {
    try {
      let last: number | null = null;
      const take = (present: ChannelState | null) => {
        last = share([asking], lastOf(present))[0]?.last ?? null;
        return changeTo(last);
      };
      const appended = await this.#hub.updateState(channel, take, idempotency);
      if (appended?.repeated) last = await this.#given(channel, appended, idempotency.key);
      this.#settle(channel, { asking, last });
    } catch (error) {
      asking.refuse(error);
    }
  }

  #settle(channel: ChannelName, { asking, last }: Served): void {
    if (last === null) {
      asking.refuse(
        new FanfareError(
          "sequence_exhausted",
          `${plainName(channel)} has fewer than ${asking.count} numbers left`,
        ),
      );
      return;
    }
    const { counters, engine } = this.#hub;
    counters.numbers += asking.count;
    asking.answer({ first: last - asking.count + 1, last, durable: engine.durable });
  }

  /** The last number that a change gave. */
  async #given(channel: ChannelName, { epoch, offset }: Position, key: string): Promise<number> {
    const after = { epoch, offset: offset - 1 };
    const limit = { messages: 1, bytes: Number.POSITIVE_INFINITY };
    const { messages } = await this.#hub.engine.read(channel, after, limit);
    const [entry] = messages;
    if (entry?.epoch === epoch && entry.offset === offset) return recordOf(entry.json).last;
    throw new FanfareError("key_reused", `what was given for the key ${quote(key)} is not known any more`, {
      remedy: "Use a new key; the numbers that were given for this one are lost.",
    });
  }
}

/** Gives each the numbers that follow, as far as there are any. */
function share(askings: readonly Asking[], present: number | null): Served[] {
  let reached = present;
  return askings.map((asking) => {
    const last = (reached ?? asking.start - 1) + asking.count;
    if (last > Number.MAX_SAFE_INTEGER) return { asking, last: null };
    reached = last;
    return { asking, last };
  });
}

function changeTo(last: number | null): Next | null {
  if (last === null) return null;
  const record: SequenceRecord = { last };
  const json = JSON.stringify(record);
  return { change: "value", json, state: json };
}

function lastOf(state: ChannelState | null): number | null {
  return state?.json ? recordOf(state.json).last : null;
}

/** Nobody else writes to the channel, so it is what `changeTo` wrote. */
function recordOf(json: string): SequenceRecord {
  return JSON.parse(json);
}

/** @throws FanfareError `invalid_request` */
function checkCount(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_COUNT) return;
  throw new FanfareError("invalid_request", `count is ${count}`, {
    remedy: `Give count a whole number from 1 to ${MAX_COUNT}, or leave it out.`,
  });
}

/** @throws FanfareError `invalid_request` */
function checkStart(start: number): void {
  if (Number.isSafeInteger(start) && start >= 0) return;
  throw new FanfareError("invalid_request", `start is ${start}`, {
    remedy: "Give start a whole number from 0 to 2^53 − 1, or leave it out.",
  });
}
