/**
 * Changes the states of channels: works out what a state becomes, and has the engine set it if it is still the one that this was
 * worked out from. On one node the changes of a channel follow each other, so that only other nodes can come in between.
 */
import {
  applyMergePatch,
  type ChannelName,
  FanfareError,
  type HeldState,
  type JsonObject,
  type Position,
} from "@fanfare/protocol";
import type { Clock, Random } from "../base/clock.js";
import { inTime } from "../base/in-time.js";
import type {
  Appended,
  ChannelState,
  Engine,
  IdempotencyKey,
  PresentState,
  Retention,
  StateDraft,
} from "../engine/engine.js";
import { StateConflictError } from "../engine/state-conflict.js";
import type { Counters } from "./terms/counters.js";
import { type CheckedChange, checkState, type StateInput } from "./terms/draft.js";
import { InOrder } from "./terms/in-order.js";
import type { MemoryGuard } from "./terms/memory-guard.js";
import type { PayloadChecks } from "./terms/payload-checks.js";
import type { Permit } from "./terms/permit.js";

/** When other nodes are faster, a change is worked out anew at most this often from a state that was asked for. */
const MAX_ROUNDS = 30;
const RETRY_MIN_MS = 2;
const RETRY_MAX_MS = 100;
/** A check of the application that takes longer lets the changes of others go first. */
const CHECK_WITHIN_TURN_MS = 250;

export interface StateChangesHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly memory: MemoryGuard;
}

/** The check of a state takes long: its change leaves the turn, and comes back with the verdict. */
class SlowCheck extends Error {
  readonly state: string;
  readonly verdict: Promise<void>;

  constructor(state: string, verdict: Promise<void>) {
    super("the check of a state takes long");
    this.state = state;
    this.verdict = verdict;
  }
}

/** A change, and the state after it as JSON text; `null` when there is none. */
export interface Next extends CheckedChange {
  readonly state: string | null;
  /** The owner of the channel and the state, should this make them. */
  readonly owner?: string;
}

export class StateChanges {
  readonly #host: StateChangesHost;
  readonly #checks: PayloadChecks | undefined;
  readonly #inOrder = new InOrder<ChannelName>();
  /** Where states are checked: the changes of each caller, by channel and principal. */
  readonly #ofCaller = new InOrder<string>();

  constructor(host: StateChangesHost, checks?: PayloadChecks) {
    this.#host = host;
    this.#checks = checks;
  }

  /**
   * Appends a change of the state after those that were asked for before. Where the application takes long to check it, the changes of
   * other callers go first.
   *
   * @param maxBytes the most bytes of the state as JSON in UTF-8
   */
  async append(
    channel: ChannelName,
    change: CheckedChange,
    input: StateInput,
    retention: Retention,
    maxBytes: number,
  ): Promise<Appended> {
    const turn = (right: string | null) =>
      this.#inOrder.run(channel, () => this.#append(channel, change, input, retention, maxBytes, right));
    if (!this.#checks) return await turn(null);
    return await this.#ofCaller.run(`${channel} ${input.principal ?? "server"}`, () =>
      this.#comingBack(channel, turn),
    );
  }

  /** @param turn takes the state that was found right in an earlier turn */
  async #comingBack(
    channel: ChannelName,
    turn: (right: string | null) => Promise<Appended>,
  ): Promise<Appended> {
    let right: string | null = null;
    for (let turns = 1; turns <= MAX_ROUNDS; turns++) {
      try {
        return await turn(right);
      } catch (error) {
        if (!(error instanceof SlowCheck)) throw error;
        await error.verdict;
        right = error.state;
      }
    }
    throw tooBusy(channel);
  }

  /**
   * Appends what is worked out from the state as it is, after the changes that were asked for before. Where others are faster, it is
   * worked out anew.
   *
   * @param next what comes of the present state, at this time of the engine; `null` leaves it as it is. May be called several times: the
   * last one counts
   * @returns `null` where nothing was to be changed
   */
  async update(
    channel: ChannelName,
    next: (present: ChannelState | null, time: number) => Next | null,
    retention: Retention,
    idempotency?: IdempotencyKey,
  ): Promise<Appended | null> {
    return await this.#inOrder.run(channel, () =>
      this.#retrying(channel, async (state) => {
        const present = existing(state);
        const change = next(present, state.time);
        if (!change) return null;
        const draft = { ...change, base: positionOf(present), ...(idempotency && { idempotency }) };
        return await this.#commit(channel, draft, retention, present);
      }),
    );
  }

  /**
   * Throws away the log and the state of a channel, after the changes of its state that were asked for before. Its subscriptions go
   * on in a new epoch, after a gap. False when there was nothing.
   */
  async remove(channel: ChannelName, permit?: Permit): Promise<boolean> {
    return await this.#inOrder.run(channel, async () => {
      permit?.check();
      return await this.#host.engine.logs.remove(channel);
    });
  }

  #append(
    channel: ChannelName,
    change: CheckedChange,
    { ifVersion, id, principal = "server", owner, permit }: StateInput,
    retention: Retention,
    maxBytes: number,
    right: string | null,
  ): Promise<Appended> {
    const { logs } = this.#host.engine;
    const asked = {
      ...(id !== undefined && { idempotency: { key: id, principal } }),
      ...(owner !== undefined && { owner }),
    };
    return this.#retrying(channel, async (given) => {
      const present = existing(given);
      if (ifVersion === "any" && !present) {
        throw versionMismatch(channel, `${channel} has no state`, null);
      }
      // The engine decides whether it is the version that was expected: it knows whether the id repeats an earlier change.
      const base = ifVersion === undefined || ifVersion === "any" ? positionOf(present) : ifVersion;
      // Each try takes it apart anew, also one that is refused then.
      permit?.hasWritten?.(Math.max(present?.json?.length ?? 0, change.json.length));
      const state = after(base && present, change, channel, maxBytes);
      if (this.#checks && state !== null && state !== right) await this.#check(this.#checks, channel, state);
      permit?.check();
      try {
        return await this.#commit(channel, { ...change, state, base, ...asked }, retention, present);
      } catch (error) {
        if (!isMismatch(error) || ifVersion === undefined || ifVersion === "any") throw error;
        const { present: state } =
          error instanceof StateConflictError ? error : { present: await logs.state(channel) };
        throw versionMismatch(channel, error.message, existing(state));
      }
    });
  }

  /** @throws FanfareError `invalid_data`, `unavailable`; SlowCheck */
  async #check(checks: PayloadChecks, channel: ChannelName, state: string): Promise<void> {
    const verdict = checks.state(channel, JSON.parse(state));
    if (!verdict || (await inTime(this.#host.clock, CHECK_WITHIN_TURN_MS, verdict))) return;
    throw new SlowCheck(state, verdict);
  }

  async #commit(
    channel: ChannelName,
    draft: StateDraft,
    retention: Retention,
    present: ChannelState | null,
  ): Promise<Appended> {
    // A change that leaves a state no larger is always possible: locks are let go of, and states removed.
    if ((draft.state?.length ?? 0) > (present?.json?.length ?? 0)) this.#host.memory.assertRoomToPublish();
    const appended = await this.#host.engine.logs.append(channel, draft, retention);
    if (!appended.repeated) this.#host.counters.changed(Buffer.byteLength(draft.state ?? ""));
    return appended;
  }

  /** Tries again while others are faster. A change whose caller expects a version is not tried again. */
  async #retrying<Answer>(
    channel: ChannelName,
    attempt: (state: PresentState) => Promise<Answer>,
  ): Promise<Answer> {
    for (let round = 1; ; round++) {
      let state: PresentState | null = await this.#host.engine.logs.state(channel);
      for (let isGiven = false; state !== null; isGiven = true) {
        try {
          return await attempt(state);
        } catch (error) {
          if (!isMismatch(error) || error.state !== undefined) throw error;
          // The state that came with the refusal is the newest, so it is tried at once. Nodes that lose twice have to get out of step.
          state = !isGiven && error instanceof StateConflictError ? error.present : null;
        }
      }
      if (round === MAX_ROUNDS) throw tooBusy(channel);
      await this.#pause(round);
    }
  }

  #pause(round: number): Promise<void> {
    const { clock, random } = this.#host;
    const ms = Math.min(RETRY_MIN_MS * 2 ** round, RETRY_MAX_MS) * random.fraction();
    return new Promise((done) => clock.after(ms, done));
  }
}

/** The state as callers see it; `null` when there is none. */
export function existing(state: ChannelState): ChannelState | null {
  return state.json === null ? null : state;
}

export function isMismatch(error: unknown): error is FanfareError {
  return error instanceof FanfareError && error.code === "version_mismatch";
}

function positionOf(state: ChannelState | null): Position | null {
  return state && { epoch: state.epoch, offset: state.offset };
}

/** The state as JSON text after a change. @throws FanfareError `too_large` */
function after(
  present: ChannelState | null,
  { change, json }: CheckedChange,
  channel: ChannelName,
  maxBytes: number,
): string | null {
  if (change === "value") return json === "null" ? null : json;
  const before: JsonObject | null = JSON.parse(present?.json ?? "null");
  const text = JSON.stringify(applyMergePatch(before, JSON.parse(json) as JsonObject));
  checkState(channel, text, maxBytes);
  return text;
}

function tooBusy(channel: ChannelName): FanfareError {
  return new FanfareError("unavailable", `others change the state of ${channel} all the time`, {
    remedy: "Try again, or let fewer servers change the state of this channel.",
    retryAfterSeconds: 1,
  });
}

/** The state is not the one that the caller expected. */
function versionMismatch(channel: ChannelName, message: string, present: ChannelState | null): FanfareError {
  const state = present?.json ? heldState(channel, present, present.json) : null;
  return new FanfareError("version_mismatch", message, { channel, state });
}

function heldState(channel: ChannelName, { epoch, offset }: ChannelState, json: string): HeldState {
  return { channel, epoch, offset, state: JSON.parse(json) };
}
