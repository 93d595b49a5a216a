/** Compares what a hub says of itself with a recount: of what each client was written, and of what doors can reach. */
import { expect } from "vitest";
import type { Channel } from "../hub/delivery/channel.js";
import type { Hub } from "../hub/hub.js";
import type { FakeSubscriber, Frame } from "./fake-subscriber.js";

/** Nothing is under way, and no channel is without subscriptions: what the hub says that it holds is what it holds. */
export function checkHoldings(hub: Hub): void {
  const subscribers = new Map<Channel, number>();
  let subscriptions = 0;
  for (const connection of hub.connections.values()) {
    expect(connection).toMatchObject({ full: false, heldBack: false, pumpDue: false, behind: false });
    for (const { channel, state, read } of connection.subscriptions.values()) {
      expect({ state, read }).toEqual({ state: "live", read: null });
      subscribers.set(channel, (subscribers.get(channel) ?? 0) + 1);
      subscriptions++;
    }
  }
  let windowBytes = 0;
  let stateBytes = 0;
  for (const [channel, count] of subscribers) {
    expect(channel).toMatchObject({ subscribers: count, unflushed: 0, dirty: false });
    const { state, tail } = channel;
    if (!tail) throw new TypeError(`${channel.name} is not listened to`);
    const { window } = tail;
    const cost = window.slice(window.first, window.end).reduce((sum, entry) => sum + entry.cost, 0);
    expect(window.cost).toBe(cost);
    windowBytes += cost;
    if (!state) continue;
    stateBytes += state.cost;
    // Roughly, but never less than the value and its text take.
    expect(state.cost).toBeGreaterThanOrEqual(2 * (state.json?.length ?? 0));
    if (state.json === null) expect(state.cost).toBe(0);
  }
  expect(hub.counters.subscriptions).toBe(subscriptions);
  expect(hub.stats()).toEqual({
    connections: hub.connections.size,
    fullConnections: 0,
    channels: subscribers.size,
    windowBytes: windowBytes + stateBytes,
    waitingBytes: 0,
    presenceMembers: 0,
  });
}

/** What was counted as written is what was written, to all that ever were connected. */
export function checkDeliveries({ counters }: Hub, subscribers: readonly FakeSubscriber[]): void {
  const gaps = Object.fromEntries(Object.keys(counters.gaps).map((reason) => [reason, 0]));
  const seen = { opened: subscribers.length, deliveries: 0, writes: 0, writtenBytes: 0, gaps };
  const count = (frame: Frame) => {
    if (frame.type === "message") seen.deliveries++;
    const reason = frame.type === "gap" || frame.type === "subscribed" ? frame.reason : undefined;
    if (reason) gaps[reason] = (gaps[reason] ?? 0) + 1;
  };
  for (const { writes, written } of subscribers) {
    for (const frame of written) count(frame);
    for (const bytes of writes) {
      if (!isPage(bytes)) continue;
      seen.writes++;
      seen.writtenBytes += bytes.length;
    }
  }
  expect(counters).toMatchObject(seen);
}

/** All clients have gone, and have been gone for long enough. */
export function checkNothingHeld(hub: Hub): void {
  expect(hub.counters.subscriptions).toBe(0);
  for (const figure of Object.values(hub.stats())) expect(figure).toBe(0);
}

const text = new TextDecoder();

/** Messages, gaps and changes of states travel in pages; answers do not. */
function isPage(bytes: Uint8Array): boolean {
  return /^\{"type":"(message|gap|state)"/.test(text.decode(bytes.subarray(0, 20)));
}
