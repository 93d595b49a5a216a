/** Listening counts for its owner, whatever happens to connections and subscriptions, and is given back. */
import { FanfareError, parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { aHub } from "../../testing/a-hub.js";
import { changedEngine } from "../../testing/changed-engine.js";
import { turns } from "../../testing/fake-clock.js";
import type { FakeSubscriber } from "../../testing/fake-subscriber.js";

const OWNERS = ["user alice", "user bob", "address 192.0.2.1"];
const CHANNELS = ["a", "b", "c"].map(parseChannelName);

const owner = fc.constantFrom(...OWNERS, undefined);
const which = fc.nat({ max: 5 });
const channel = fc.constantFrom(...CHANNELS);
const steps = fc.array(
  fc.oneof(
    fc.record({ what: fc.constant("open" as const), owner }),
    fc.record({ what: fc.constant("leave" as const), which }),
    fc.record({ what: fc.constant("move" as const), which, owner }),
    fc.record({
      what: fc.constantFrom("subscribe" as const, "unsubscribe" as const, "revoke" as const),
      which,
      channel,
    }),
  ),
  { maxLength: 60 },
);

test("what each owner has open is what its connections have, within the share; nothing is left of those who went", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const { hub, open } = aHub({ limits: { connectionsPerOwner: 3, subscriptionsPerOwner: 4 } });
      const clients: { subscriber: FakeSubscriber; owner: string | undefined }[] = [];
      const countOf = (name: string) => {
        const own = clients.filter((client) => client.owner === name);
        const subscriptions = own.map(({ subscriber }) => subscriber.connection.subscriptions.size);
        return { connections: own.length, subscriptions: subscriptions.reduce((sum, one) => sum + one, 0) };
      };
      for (const step of all) {
        if (step.what === "open") {
          try {
            clients.push({ subscriber: open({}, step.owner), owner: step.owner });
          } catch (error) {
            expect(error).toMatchObject({ code: "share_used_up", status: 429, retryAfterSeconds: 10 });
            expect(countOf(step.owner ?? "").connections).toBe(3);
          }
          continue;
        }
        const client = clients[step.which];
        if (!client) continue;
        const { connection } = client.subscriber;
        if (step.what === "leave") {
          connection.leave();
          clients.splice(step.which, 1);
        } else if (step.what === "move") {
          if (connection.refusalAt(step.owner ?? null)) continue;
          connection.moveTo(step.owner ?? null);
          client.owner = step.owner;
        } else if (step.what === "subscribe")
          connection.subscribe(step.channel, { request: 1, since: undefined });
        else if (step.what === "revoke")
          connection.revoke(step.channel, new FanfareError("forbidden", "no"), Buffer.of());
        else if (connection.subscriptions.has(step.channel)) connection.unsubscribe(step.channel, 1);
        for (const name of OWNERS) {
          const { connections, subscriptions } = hub.listening.of(name);
          expect({ connections, subscriptions }).toEqual(countOf(name));
          expect(connections).toBeLessThanOrEqual(3);
          expect(subscriptions).toBeLessThanOrEqual(4);
        }
      }
      for (const { subscriber } of clients) subscriber.connection.leave();
      expect([...hub.listening.values()]).toEqual([]);
      hub.close();
    }),
  );
});

test("a subscription that the engine cannot begin is given back", async () => {
  const listen = () => Promise.reject(new FanfareError("unavailable", "not now"));
  const engine = changedEngine(new MemoryEngine({ allowIsolated: true }), { logs: { listen } });
  const { hub, open, subscribe } = aHub({ engine });
  const subscriber = open({}, "user alice");
  subscribe(subscriber, "a");
  expect(hub.listening.of("user alice")).toMatchObject({ subscriptions: 1 });
  await turns(5);
  expect(subscriber.story).toEqual(["error 1 unavailable"]);
  expect(hub.listening.of("user alice")).toMatchObject({ connections: 1, subscriptions: 0 });
  await engine.close();
});
