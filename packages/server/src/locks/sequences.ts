/**
 * Sequences: named counters that never give a number twice. Each is the state of a channel of its own, `{"last": 17}`, changed by
 * compare-and-set; a subscriber of that channel sees the last number. Callers that ask at the same time share one change.
 */
import {
  type ChannelName,
  FanfareError,
  type Numbers,
  ownChannel,
  plainName,
  type SequenceRecord,
  shown,
} from "@fanfare/protocol";
import type { Appended, ChannelState, IdempotencyKey } from "../engine/engine.js";
import type { Next } from "../hub/state-changes.js";
import { checkName } from "../hub/terms/draft.js";
import type { Permit } from "../hub/terms/permit.js";
import type { RecordsHost } from "./records-host.js";

/** The most numbers that can be taken at once. */
export const MAX_COUNT = 1000;

export interface NextInput {
  /** How many numbers, 1 to 1,000. @default 1 */
  readonly count?: number | undefined;
  /** The first number of a sequence that has given none yet: 0 to 2^53 − 1. @default 1 */
  readonly start?: number | undefined;
  /** Idempotency key, 1 to 200 characters: the same call with the same id is given the same numbers for 5 minutes. */
  readonly id?: string | undefined;
  /** The caller, for the scope of the idempotency key. @default "server" */
  readonly principal?: string | undefined;
  /** The owner of the sequence, should this make it. @default an owner without a bound */
  readonly owner?: string | undefined;
  /** Asked before numbers are taken. @default no question */
  readonly permit?: Permit | undefined;
}

/** Somebody who asks. */
interface Asking {
  readonly count: number;
  readonly start: number;
  readonly idempotency: IdempotencyKey | undefined;
  readonly owner: string | undefined;
  readonly permit: Permit | undefined;
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
  readonly #host: RecordsHost;
  /** The waiting callers, in the order in which they asked; a list is there while somebody is served. */
  readonly #waiting = new Map<ChannelName, Asking[]>();

  constructor(host: RecordsHost) {
    this.#host = host;
  }

  /**
   * Takes the next numbers.
   *
   * @throws FanfareError `invalid_request`, `sequence_exhausted`, `id_reused`, `share_used_up`, `too_many_channels`, `insufficient_storage`,
   * `unavailable`; then numbers may have been taken and left out
   */
  next(name: ChannelName, { count = 1, start = 1, id, principal = "server", owner, permit }: NextInput = {}) {
    return new Promise<Numbers>((answer, refuse) => {
      checkCount(count);
      checkStart(start);
      if (id !== undefined) checkName("id", id);
      const idempotency = id === undefined ? undefined : { key: id, principal, request: `next ${count}` };
      const asking: Asking = { count, start, idempotency, owner, permit, answer, refuse };
      const channel = ownChannel("sequence", name);
      const waiting = this.#waiting.get(channel);
      if (waiting) {
        waiting.push(asking);
        return;
      }
      const list = [asking];
      this.#waiting.set(channel, list);
      this.#host.failures.inBackground("giving numbers", () => this.#serve(channel, list));
    });
  }

  /** The number that was given last; `null` when none was. @throws FanfareError `unavailable` */
  async last(name: ChannelName): Promise<number | null> {
    return lastOf(await this.#host.state(ownChannel("sequence", name)));
  }

  /**
   * Forgets a sequence: its next number is the first one again. False when it has given none.
   *
   * @throws FanfareError `insufficient_storage`, `unavailable`
   */
  remove(name: ChannelName, permit?: Permit): Promise<boolean> {
    return this.#host.remove(ownChannel("sequence", name), permit);
  }

  async #serve(channel: ChannelName, waiting: Asking[]): Promise<void> {
    try {
      for (;;) {
        const [first] = waiting;
        if (!first) break;
        if (first.idempotency) {
          waiting.shift();
          await this.#serveAlone(channel, first, first.idempotency);
        } else await this.#serveTogether(channel, waiting);
      }
    } finally {
      // After each outcome, the next callers are served.
      this.#waiting.delete(channel);
      for (const { refuse } of waiting) refuse(new FanfareError("internal", "numbers could not be given"));
    }
  }

  /**
   * Everybody without a key who has asked by the time that the state is known. A sequence that is not there yet is made for those of
   * one owner, so that no caller is refused because another may have no more.
   */
  async #serveTogether(channel: ChannelName, waiting: Asking[]): Promise<void> {
    const together: Asking[] = [];
    let served: Served[] = [];
    try {
      await this.#host.updateState(channel, (present) => {
        const first = together[0] ?? waiting[0];
        const end = waiting.findIndex(
          ({ idempotency, owner }) => idempotency || (!present && owner !== first?.owner),
        );
        together.push(...waiting.splice(0, end < 0 ? waiting.length : end).filter(isPermitted));
        served = share(together, lastOf(present));
        return changeTo(served.findLast(({ last }) => last !== null)?.last ?? null, together[0]?.owner);
      });
    } catch (error) {
      // Where not even the state could be read, no caller has been taken from the list.
      for (const { refuse } of together.length > 0 ? together : waiting.splice(0)) refuse(error);
      return;
    }
    for (const each of served) this.#settle(channel, each);
  }

  async #serveAlone(channel: ChannelName, asking: Asking, idempotency: IdempotencyKey): Promise<void> {
    try {
      let last: number | null = null;
      const take = (present: ChannelState | null) => {
        asking.permit?.check();
        last = share([asking], lastOf(present))[0]?.last ?? null;
        return changeTo(last, asking.owner);
      };
      const appended = await this.#host.updateState(channel, take, idempotency);
      if (appended?.repeated) last = givenBy(appended);
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
    const { counters, engine } = this.#host;
    counters.numbers += asking.count;
    asking.answer({ first: last - asking.count + 1, last, durable: engine.durable });
  }
}

/** The last number of a call that is repeated. The caller did not get the numbers that were worked out now. */
function givenBy({ made }: Appended): number {
  if (made !== undefined) return recordOf(made).last;
  throw new FanfareError("internal", "the engine does not say what a repeated request made (`made`)");
}

/** A client that may not any more is told so, and gets none. */
function isPermitted({ permit, refuse }: Asking): boolean {
  try {
    permit?.check();
    return true;
  } catch (error) {
    refuse(error);
    return false;
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

function changeTo(last: number | null, owner: string | undefined): Next | null {
  if (last === null) return null;
  const record: SequenceRecord = { last };
  const json = JSON.stringify(record);
  return { change: "value", json, state: json, ...(owner !== undefined && { owner }) };
}

function lastOf(state: ChannelState | null): number | null {
  return state?.json ? recordOf(state.json).last : null;
}

/** Only the hub writes to the channel, so it is what `changeTo` wrote. */
function recordOf(json: string): SequenceRecord {
  return JSON.parse(json);
}

/** @throws FanfareError `invalid_request` */
function checkCount(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_COUNT) return;
  throw new FanfareError("invalid_request", `count is ${shown(count)}`, {
    remedy: `Give count a whole number from 1 to ${MAX_COUNT}, or leave it out.`,
  });
}

/** @throws FanfareError `invalid_request` */
function checkStart(start: number): void {
  if (Number.isSafeInteger(start) && start >= 0) return;
  throw new FanfareError("invalid_request", `start is ${shown(start)}`, {
    remedy: "Give start a whole number from 0 to 2^53 − 1, or leave it out.",
  });
}
