/**
 * The state of a channel as this node knows it, for those who come and for those who missed changes of it. Follows what the tail
 * hears; after a hole it asks the engine, and until that has answered it tells no state.
 */
import { applyMergePatch, type JsonObject } from "@fanfare/protocol";
import type { Clock, Random } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { ChannelState, Engine, StateChange } from "../../engine/engine.js";
import type { Tail } from "../log/tail.js";
import type { Subscription } from "./subscription.js";

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 5000;
/** Changes that may come while the engine is asked; beyond that it is asked again. */
const MAX_HEARD = 1000;
/** After this many patches the whole is measured, which may have become smaller. */
const MEASURED_AFTER = 100;

export interface FollowerHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly failures: Failures;
}

/** The calls of a follower to its channel. */
export interface FollowerOwner {
  /** The state is known again after a hole, in which every listener may have missed changes of it. */
  stateFound(): void;
}

/** A state, or that there is none, and the offset of the change that made it. */
export interface KnownState {
  readonly offset: number;
  /** JSON text of an object; `null` when there is no state. */
  readonly json: string | null;
}

export class StateFollower implements KnownState {
  readonly #tail: Tail;
  readonly #owner: FollowerOwner;
  readonly #host: FollowerHost;
  #known = true;
  #offset = 0;
  #value: JsonObject | null = null;
  /** The value as text, once somebody has asked for it. */
  #json: string | null = null;
  /** How long the text was when that was last known; the patches since, and how long they are together. */
  #length = 0;
  #patches = 0;
  #patched = 0;
  /** There was a state at some time: then its absence is worth telling. */
  everSet = false;
  /** The changes that came while the state was not known. */
  #heard: StateChange[] = [];
  /** Counts the holes. */
  #holes = 0;
  #asking = false;
  #ended = false;
  readonly #waiting = new Set<Subscription>();

  /** @param state as it stood where the tail begins */
  constructor(state: ChannelState | null, tail: Tail, owner: FollowerOwner, host: FollowerHost) {
    this.#tail = tail;
    this.#owner = owner;
    this.#host = host;
    if (state) this.#adopt(state);
  }

  /** Only then the rest says something. */
  get known(): boolean {
    return this.#known;
  }
  get offset(): number {
    return this.#offset;
  }
  get json(): string | null {
    if (this.#value !== null) this.#json ??= JSON.stringify(this.#value);
    return this.#json;
  }

  /** Bytes that the copy may take, as a value and as text. Roughly, since patches do not say how long they leave the whole. */
  get cost(): number {
    if (this.#value === null) return 0;
    if (this.#patched > this.#length || this.#patches >= MEASURED_AFTER) this.#measured(this.json ?? "");
    return 2 * (this.#length + this.#patched);
  }

  /** The tail has heard a change. */
  follow(change: StateChange): void {
    // Clients are told of it, also while the state is not known.
    this.everSet = true;
    if (this.#known) this.#apply(change);
    else if (this.#heard.length < MAX_HEARD) this.#heard.push(change);
    else this.lost();
  }

  /** There is a hole, in which the state may have changed. */
  lost(): void {
    this.#known = false;
    this.#heard = [];
    this.#holes++;
    if (!this.#asking) void this.#ask();
  }

  /** The subscription goes on when the state is known. */
  wait(subscription: Subscription): void {
    this.#waiting.add(subscription);
  }

  end(): void {
    this.#ended = true;
    this.#waiting.clear();
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    let waitMs = RETRY_MIN_MS;
    while (!this.#known && !this.#ended) {
      const holes = this.#holes;
      const { window } = this.#tail;
      try {
        const state = await this.#host.engine.logs.state(window.channel);
        if (holes !== this.#holes) continue;
        if (state.epoch === window.epoch) this.#found(state);
        // A log that the tail has not heard of: it has to learn of it first.
        else await this.#tail.catchUp();
      } catch (error) {
        const { clock, random, failures } = this.#host;
        failures.goesOn("asking for the state of a channel", error);
        const ms = waitMs * (0.5 + random.fraction());
        await new Promise<void>((done) => clock.after(ms, done));
        waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
      }
    }
    this.#asking = false;
  }

  #found(state: ChannelState): void {
    if (this.#ended) return;
    const heard = this.#heard;
    this.#heard = [];
    // Where one of them cannot be applied, the engine is asked again.
    this.#adopt(state);
    for (const change of heard) this.#apply(change);
    this.#known = true;
    try {
      if (this.everSet) this.#owner.stateFound();
    } finally {
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const subscription of waiting) {
        if (subscription.state === "lagging") subscription.connection.enqueue(subscription);
      }
    }
  }

  #adopt({ offset, json }: ChannelState): void {
    this.#json = json;
    this.#measured(json ?? "");
    this.#value = json === null ? null : JSON.parse(json);
    this.#offset = offset;
    if (offset > 0) this.everSet = true;
  }

  #apply({ offset, change, json }: StateChange): void {
    // The engine's answer may be newer than the announcements that the tail has heard.
    if (offset <= this.#offset) return;
    const value = JSON.parse(json);
    this.#value = change === "patch" ? applyMergePatch(this.#value, value as JsonObject) : value;
    this.#json = null;
    if (change === "patch") {
      this.#patches++;
      this.#patched += json.length;
    } else this.#measured(json);
    this.#offset = offset;
    this.everSet = true;
  }

  #measured({ length }: string): void {
    this.#length = length;
    this.#patches = 0;
    this.#patched = 0;
  }
}
