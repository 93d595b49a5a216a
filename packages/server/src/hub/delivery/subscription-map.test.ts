import type { ChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";
import { Subscription } from "./subscription.js";
import { SubscriptionMap } from "./subscription-map.js";

const NAMES = ["a", "b", "c", "d"] as ChannelName[];

const subscriptionTo = (name: ChannelName) =>
  new Subscription({} as Connection, { name } as Channel, { request: undefined, since: undefined });

test("it holds what a map would hold, in the same order, whatever comes and goes", () => {
  const steps = fc.array(fc.record({ add: fc.boolean(), name: fc.constantFrom(...NAMES) }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(steps, (all) => {
      const held = new SubscriptionMap();
      const model = new Map<ChannelName, Subscription>();
      for (const { add, name } of all) {
        if (!add) {
          held.delete(name);
          model.delete(name);
        } else if (!held.has(name)) {
          const subscription = subscriptionTo(name);
          held.add(subscription);
          model.set(name, subscription);
        }
        expect(held.size).toBe(model.size);
        expect([...held.values()]).toEqual([...model.values()]);
        for (const each of NAMES) expect(held.get(each)).toBe(model.get(each));
      }
      held.clear();
      expect([held.size, ...held.values()]).toEqual([0]);
    }),
  );
});

test("each may be taken out while all are looked at", () => {
  for (const count of [1, 2, 4]) {
    const held = new SubscriptionMap();
    for (const name of NAMES.slice(0, count)) held.add(subscriptionTo(name));
    const seen: string[] = [];
    for (const { channel } of held.values()) {
      seen.push(channel.name);
      held.delete(channel.name);
    }
    expect(seen).toEqual(NAMES.slice(0, count));
    expect(held.size).toBe(0);
  }
});
