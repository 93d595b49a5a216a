/**
 * The subscriptions of one connection, by their channels, in the order in which they came. Most connections have one, for which a
 * `Map` would take six times the memory.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Subscription } from "./subscription.js";

export class SubscriptionMap {
  /** The only one; `null` while there are several, or none. */
  #only: Subscription | null = null;
  #several: Map<ChannelName, Subscription> | null = null;

  get size(): number {
    return this.#several?.size ?? (this.#only ? 1 : 0);
  }

  get(channel: ChannelName): Subscription | undefined {
    if (this.#several) return this.#several.get(channel);
    return this.#only?.channel.name === channel ? this.#only : undefined;
  }

  has(channel: ChannelName): boolean {
    return this.get(channel) !== undefined;
  }

  /** Adds one, for whose channel there must be none yet. */
  add(subscription: Subscription): void {
    if (this.size === 0) {
      this.#several = null;
      this.#only = subscription;
      return;
    }
    if (this.#only) {
      this.#several = new Map([[this.#only.channel.name, this.#only]]);
      this.#only = null;
    }
    this.#several?.set(subscription.channel.name, subscription);
  }

  delete(channel: ChannelName): void {
    if (this.#several) this.#several.delete(channel);
    else if (this.#only?.channel.name === channel) this.#only = null;
  }

  clear(): void {
    this.#only = null;
    this.#several = null;
  }

  values(): Iterable<Subscription> {
    return this.#several?.values() ?? (this.#only ? [this.#only] : []);
  }
}
