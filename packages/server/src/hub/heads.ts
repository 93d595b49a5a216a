/**
 * Compares the newest positions that this node knows with the engine's, now and then: so a last message that was lost on the way
 * is noticed even if nothing follows it, and a node that has gone deaf knows it.
 */
import type { Clock } from "../base/clock.js";
import type { Failures } from "../base/failures.js";
import type { Slices } from "../base/slices.js";
import type { Engine } from "../engine/engine.js";
import type { Channel } from "./delivery/channel.js";

const COMPARE_EVERY_MS = 5000;
const HEADS_AT_ONCE = 500;
/** Without a comparison that succeeded for this long, the node is deaf. */
const DEAF_AFTER_MS = 20_000;

export interface HeadsHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly failures: Failures;
  readonly slices: Slices;
}

export class HeadsComparison {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #failures: Failures;
  readonly #slices: Slices;
  readonly #channels: () => Iterable<Channel>;
  #lastCompared: number;
  #comparing = false;

  constructor({ engine, clock, failures, slices }: HeadsHost, channels: () => Iterable<Channel>) {
    this.#engine = engine;
    this.#clock = clock;
    this.#failures = failures;
    this.#slices = slices;
    this.#channels = channels;
    this.#lastCompared = clock.monotonic();
  }

  /** May this node miss what others publish? */
  get deaf(): boolean {
    return this.#engine.lossy && this.#clock.monotonic() - this.#lastCompared > DEAF_AFTER_MS;
  }

  /** Compares, if it is time, on an engine whose announcements can get lost. */
  tick(): void {
    const due = this.#clock.monotonic() - this.#lastCompared >= COMPARE_EVERY_MS;
    if (this.#engine.lossy && due && !this.#comparing) void this.#compare();
  }

  async #compare(): Promise<void> {
    this.#comparing = true;
    try {
      let some: Channel[] = [];
      for (const channel of this.#channels()) {
        if (channel.tail !== null) some.push(channel);
        if (some.length < HEADS_AT_ONCE) continue;
        await this.#compareThese(some);
        some = [];
      }
      await this.#compareThese(some);
      this.#lastCompared = this.#clock.monotonic();
    } catch (error) {
      // The next tick tries again; until one succeeds `deaf` says so.
      this.#failures.goesOn("comparing positions with the engine", error);
    } finally {
      this.#comparing = false;
    }
  }

  /** The next ones are asked for when there is time: an engine that answers at once would keep others waiting. */
  async #compareThese(channels: readonly Channel[]): Promise<void> {
    if (channels.length === 0) return;
    await this.#slices.run(async () => {
      const heads = await this.#engine.logs.heads(channels.map(({ name }) => name));
      for (const [index, { tail }] of channels.entries()) {
        const head = heads[index];
        if (head) tail?.heard(head);
      }
    });
  }
}
