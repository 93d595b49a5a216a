/** What can happen to a hub, for its model: rules, bounds, a network that fails, and the steps of publishers, clients and time. */
import { parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";

export const CHANNELS = ["news", "order:1", "order:2"].map(parseChannelName);
export const EVENTS = ["opened", "paid", "closed"];

const channel = fc.nat(CHANNELS.length - 1);
const client = fc.nat(4);
const hub = fc.nat(1);
const size = fc.oneof({ weight: 8, arbitrary: fc.nat(200) }, fc.integer({ min: 1000, max: 90_000 }));
const reading = fc.constantFrom("at once" as const, "next turn" as const, "not" as const);
const since = fc.constantFrom("reached", "reached", "reached", "older", "invented", "beyond", "none");
const asks = fc.array(fc.record({ channel, since }), { minLength: 1, maxLength: 3 });

const publish = fc.record({
  do: fc.constant("publish" as const),
  hub,
  channel,
  event: fc.nat(2),
  size,
  count: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.integer({ min: 5, max: 40 })),
  /** In one turn of the event loop, or each in its own. */
  atOnce: fc.boolean(),
  keyed: fc.boolean(),
  except: fc.option(client, { freq: 12 }),
});
/** Small patches over few members, so that they meet; `null` removes the state. */
const member = fc.constantFrom<unknown>(null, null, 1, 2, { x: 1 }, { y: 2 }, { x: null }, { x: { z: 1 } });
const patch = fc.dictionary(fc.constantFrom("a", "b", "__proto__"), member, { maxKeys: 2 });
const change = fc.record({
  do: fc.constant("change" as const),
  hub,
  channel,
  inputs: fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ patch }) },
      { weight: 1, arbitrary: fc.constantFrom({ value: { a: { x: 0 } } }, { value: null }) },
    ),
    { minLength: 1, maxLength: 12 },
  ),
  atOnce: fc.boolean(),
  keyed: fc.boolean(),
});
const step = fc.oneof(
  { weight: 10, arbitrary: publish },
  { weight: 6, arbitrary: change },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("turn" as const), count: fc.integer({ min: 1, max: 8 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("reading" as const), client, reading }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const), client, bytes: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), client }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("come" as const), client, hub, reading, asks }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("subscribe" as const), client, asks }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), client, channel }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 20, 200, 1000, 3000, 12_000, 35_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("startOver" as const), channel }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("disconnect" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const) }) },
);
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const rule = fc.record(
  {
    history: fc.constantFrom(0, 1, 5, 30),
    historySeconds: fc.constantFrom(2, 10, 300),
    maxRate: fc.constantFrom(1, 20),
    events: fc.constantFrom("all" as const, "latest" as const),
  },
  { requiredKeys: ["history"] },
);
const probability = fc.constantFrom(0, 0.1, 0.5);
export const scene = fc.record({
  rules: fc.tuple(rule, rule, rule),
  highWaterMarks: fc.tuple(...Array.from({ length: 5 }, () => fc.constantFrom(1, 300, 16_384, 100_000))),
  maxStubs: fc.constantFrom(0, 1, 100),
  windowBytes: fc.constantFrom(0, 3000, 64 * 1024 * 1024),
  waitingBytes: fc.constantFrom(50_000, 256 * 1024 * 1024),
  historyBytes: fc.constantFrom(20_000, 256 * 1024 * 1024),
  lateTurns: fc.constantFrom(0, 1, 6),
  delayMs: fc.constantFrom(0, 30, 2000),
  duplicate: probability,
  drop: probability,
  fail: fc.constantFrom(0, 0.1, 0.3),
  hold: fc.constantFrom(0, 0.5, 1),
  forget: fc.constantFrom(0, 0, 0.2),
  seed: fc.integer(),
  steps: fc.array(step, { minLength: 5, maxLength: 60, size: "max" }),
});
export type Scene = typeof scene extends fc.Arbitrary<infer Value> ? Value : never;

/** Scenes in which the hub once said something false. Each is played before the random ones. */
export const ONCE_FAILED: readonly Scene[] = [
  // Making room for one channel flushed another that had still to settle, so its window let go of what was not written yet.
  {
    rules: [{ history: 0 }, { history: 0, maxRate: 1 }, { history: 1, maxRate: 1 }],
    highWaterMarks: [1, 1, 1, 1, 1],
    maxStubs: 0,
    windowBytes: 3000,
    waitingBytes: 50000,
    historyBytes: 20000,
    lateTurns: 6,
    delayMs: 0,
    duplicate: 0,
    drop: 0,
    fail: 0,
    hold: 0,
    forget: 0,
    seed: 779334275,
    steps: [
      {
        do: "publish",
        hub: 0,
        channel: 0,
        event: 0,
        size: 0,
        count: 8,
        atOnce: false,
        keyed: false,
        except: null,
      },
      { do: "change", hub: 0, channel: 1, inputs: [{ patch: {} }], atOnce: false, keyed: false },
      { do: "change", hub: 0, channel: 0, inputs: [{ patch: {} }], atOnce: false, keyed: false },
      {
        do: "come",
        client: 0,
        hub: 0,
        reading: "at once",
        asks: [
          { channel: 2, since: "reached" },
          { channel: 0, since: "reached" },
        ],
      },
      { do: "subscribe", client: 0, asks: [{ channel: 1, since: "reached" }] },
      {
        do: "publish",
        hub: 0,
        channel: 0,
        event: 0,
        size: 0,
        count: 3,
        atOnce: false,
        keyed: false,
        except: null,
      },
      { do: "unsubscribe", client: 0, channel: 2 },
      {
        do: "publish",
        hub: 0,
        channel: 2,
        event: 0,
        size: 0,
        count: 2,
        atOnce: false,
        keyed: false,
        except: null,
      },
      { do: "turn", count: 2 },
      {
        do: "publish",
        hub: 0,
        channel: 1,
        event: 0,
        size: 0,
        count: 7,
        atOnce: true,
        keyed: false,
        except: null,
      },
      {
        do: "publish",
        hub: 0,
        channel: 2,
        event: 0,
        size: 0,
        count: 1,
        atOnce: true,
        keyed: false,
        except: null,
      },
      {
        do: "come",
        client: 0,
        hub: 0,
        reading: "at once",
        asks: [
          { channel: 2, since: "reached" },
          { channel: 0, since: "reached" },
        ],
      },
      {
        do: "publish",
        hub: 0,
        channel: 2,
        event: 0,
        size: 0,
        count: 2,
        atOnce: false,
        keyed: false,
        except: null,
      },
      { do: "change", hub: 0, channel: 0, inputs: [{ value: { a: { x: 0 } } }], atOnce: false, keyed: false },
      { do: "turn", count: 1 },
      {
        do: "publish",
        hub: 0,
        channel: 0,
        event: 0,
        size: 0,
        count: 1,
        atOnce: false,
        keyed: false,
        except: null,
      },
      { do: "turn", count: 1 },
      { do: "subscribe", client: 0, asks: [{ channel: 0, since: "reached" }] },
    ],
  },
];
