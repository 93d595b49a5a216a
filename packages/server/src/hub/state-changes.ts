/**
 * Changes the states of channels: works out what a state becomes, and has the engine set it if it is still the one that this was
 * worked out from. On one node the changes of a channel follow each other, so that only other nodes can come in between.
 */
import {
  applyMergePatch,
  type ChannelName,
  FanfareError,
  type JsonObject,
  type Position,
} from "@fanfare/protocol";
import type { Clock, Random } from "../clock.js";
import type {
  Appended,
  ChannelState,
  Engine,
  IdempotencyKey,
  Retention,
  StateDraft,
} from "../engine/engine.js";
import type { PayloadChecks } from "./admission.js";
import type { Counters } from "./counters.js";
import { type CheckedChange, checkState, type StateInput } from "./draft.js";
import { InOrder } from "./in-order.js";

/** So often is a change worked out anew when other nodes have been faster. */
const MAX_TRIES = 30;
const RETRY_MIN_MS = 2;
const RETRY_MAX_MS = 100;

/** The state is not the one that was expected. */
export class VersionMismatchError extends FanfareError {
  /** The state as it is; `null` when there is none. */
  readonly present: ChannelState | null;

  constructor(message: string, present: ChannelState | null) {
    super("version_mismatch", message);
    this.present = present;
  }
}

export interface StateChangesHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
}

/** A change, and the state after it as JSON text; `null` when there is none. */
export interface Next extends CheckedChange {
  readonly state: string | null;
}

export class StateChanges {
  readonly #host: StateChangesHost;
  readonly #checks: PayloadChecks | undefined;
  readonly #inOrder = new InOrder<ChannelName>();

  constructor(host: StateChangesHost, checks?: PayloadChecks) {
    this.#host = host;
    this.#checks = checks;
  }

  /**
   * Appends a change of the state after those that were asked for before.
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
    return await this.#inOrder.run(channel, () => this.#append(channel, change, input, retention, maxBytes));
  }

  /**
   * Appends what is worked out from the state as it is, after the changes that were asked for before. Where others are faster, it is
   * worked out anew.
   *
   * @param next what comes of the present state; `null` leaves it as it is. May be called several times: the last one counts
   * @returns `null` where nothing was to be changed
   */
  async update(
    channel: ChannelName,
    next: (present: ChannelState | null) => Next | null,
    retention: Retention,
    idempotency?: IdempotencyKey,
  ): Promise<Appended | null> {
    return await this.#inOrder.run(channel, () =>
      this.#retrying(channel, async () => {
        const present = existing(await this.#host.engine.state(channel));
        const change = next(present);
        if (!change) return null;
        const draft = { ...change, base: positionOf(present), ...(idempotency && { idempotency }) };
        return await this.#commit(channel, draft, retention);
      }),
    );
  }

  #append(
    channel: ChannelName,
    change: CheckedChange,
    { ifVersion, key, principal = "server" }: StateInput,
    retention: Retention,
    maxBytes: number,
  ): Promise<Appended> {
    const { engine } = this.#host;
    const idempotency = key === undefined ? {} : { idempotency: { key, principal } };
    return this.#retrying(channel, async () => {
      const present = existing(await engine.state(channel));
      if (ifVersion === "any" && !present) {
        throw new VersionMismatchError(`${channel} has no state`, null);
      }
      // The engine decides whether it is the version that was expected: it knows whether the key repeats an earlier change.
      const base = ifVersion === undefined || ifVersion === "any" ? positionOf(present) : ifVersion;
      const state = after(base && present, change, channel, maxBytes);
      if (this.#checks && state !== null) await this.#checks.state(channel, JSON.parse(state));
      try {
        return await this.#commit(channel, { ...change, state, base, ...idempotency }, retention);
      } catch (error) {
        if (!isMismatch(error) || ifVersion === undefined || ifVersion === "any") throw error;
        throw new VersionMismatchError(error.message, existing(await engine.state(channel)));
      }
    });
  }

  async #commit(channel: ChannelName, draft: StateDraft, retention: Retention): Promise<Appended> {
    const appended = await this.#host.engine.append(channel, draft, retention);
    if (!appended.repeated) this.#host.counters.changed(Buffer.byteLength(draft.state ?? ""));
    return appended;
  }

  /** Tries again while others are faster. What is expected of the state by whoever asks is not tried again. */
  async #retrying<Answer>(channel: ChannelName, attempt: () => Promise<Answer>): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        if (!isMismatch(error) || error instanceof VersionMismatchError) throw error;
        if (tries === MAX_TRIES) throw tooBusy(channel);
        await this.#pause(tries);
      }
    }
  }

  #pause(tries: number): Promise<void> {
    const { clock, random } = this.#host;
    const ms = Math.min(RETRY_MIN_MS * 2 ** tries, RETRY_MAX_MS) * random.fraction();
    return new Promise((done) => clock.after(ms, done));
  }
}

/** The state as callers see it; `null` when there is none. */
export function existing(state: ChannelState): ChannelState | null {
  return state.json === null ? null : state;
}

function isMismatch(error: unknown): error is FanfareError {
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
    retryAfter: 1,
  });
}
