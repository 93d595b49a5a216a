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
import type { Appended, ChannelState, Engine, Retention, StateDraft } from "../engine/engine.js";
import type { PayloadChecks } from "./admission.js";
import type { Counters } from "./counters.js";
import { type CheckedChange, checkState, type StateInput } from "./draft.js";

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

export class StateChanges {
  readonly #host: StateChangesHost;
  readonly #checks: PayloadChecks | undefined;
  /** The last change of each channel that is under way. */
  readonly #last = new Map<ChannelName, Promise<void>>();

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
    const appending = (this.#last.get(channel) ?? Promise.resolve()).then(() =>
      this.#append(channel, change, input, retention, maxBytes),
    );
    const over = appending.then(
      () => {},
      () => {},
    );
    this.#last.set(channel, over);
    try {
      return await appending;
    } finally {
      if (this.#last.get(channel) === over) this.#last.delete(channel);
    }
  }

  async #append(
    channel: ChannelName,
    change: CheckedChange,
    { ifVersion, key, principal = "server" }: StateInput,
    retention: Retention,
    maxBytes: number,
  ): Promise<Appended> {
    const { engine } = this.#host;
    const idempotency = key === undefined ? {} : { idempotency: { key, principal } };
    for (let tries = 1; ; tries++) {
      const present = existing(await engine.state(channel));
      if (ifVersion === "any" && !present) {
        throw new VersionMismatchError(`${channel} has no state`, null);
      }
      // The engine decides whether it is the version that was expected: it knows whether the key repeats an earlier change.
      const base = ifVersion === undefined || ifVersion === "any" ? positionOf(present) : ifVersion;
      const state = after(base && present, change, channel, maxBytes);
      if (this.#checks && state !== null) await this.#checks.state(channel, JSON.parse(state));
      const draft: StateDraft = { ...change, state, base, ...idempotency };
      try {
        const appended = await engine.append(channel, draft, retention);
        if (!appended.repeated) this.#host.counters.changed(Buffer.byteLength(state ?? ""));
        return appended;
      } catch (error) {
        if (!(error instanceof FanfareError) || error.code !== "version_mismatch") throw error;
        if (ifVersion !== undefined && ifVersion !== "any") {
          throw new VersionMismatchError(error.message, existing(await engine.state(channel)));
        }
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
