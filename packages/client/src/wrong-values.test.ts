/** Values of another type than the compiler wants: each is refused by its name, before anything is sent that the server would close for. */
import { describe, expect, test } from "vitest";
import type { ClientOptions } from "./client-options.js";
import type { Client } from "./client-types.js";
import { live, setUp } from "./testing/a-client.js";
import { settled } from "./testing/scripted-server.js";

/** Texts of a programmer who has no compiler. */
const anyOf = (value: unknown) => value as never;

async function refusalOf(call: () => unknown): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    return error;
  }
}

describe("an option of a client", () => {
  test.each<[object, string, string]>([
    [{ token: { token: "a" } }, "token is an object", "Give a text that is not empty, or leave it out."],
    [{ token: "" }, 'token is ""', "Give a text that is not empty, or leave it out."],
    [{ token: null }, "token is null", "Give a text that is not empty, or leave it out."],
    [{ getToken: "abc" }, 'getToken is "abc"', "Give a function, or leave it out."],
    [{ csrf: "abc" }, 'csrf is "abc"', "Give a function, or leave it out."],
    [{ queue: "yes" }, 'queue is "yes"', "Give an object, or leave it out."],
    [{ queue: null }, "queue is null", "Give an object, or leave it out."],
    [{ queue: { items: "5" } }, 'queue.items is "5"', "Give a whole number from 1 to 10000."],
    [{ WebSocket: {} }, "WebSocket is an object", "Give a function, or leave it out."],
    [{ sse: "no" }, 'sse is "no"', "Give true or false, or leave it out."],
    [{ fetch: 5 }, "fetch is 5", "Give a function, or leave it out."],
    [{ random: 0.5 }, "random is 0.5", "Give a function, or leave it out."],
    [{ clock: () => 0 }, "clock is a function", "Give an object, or leave it out."],
    [{ page: null }, "page is null", "Give an object, or leave it out."],
  ])("%j is refused", (options, message, remedy) => {
    expect(() => setUp(options as ClientOptions)).toThrow(
      expect.objectContaining({ code: "invalid_options", message, remedy }),
    );
  });

  test("that is undefined is left out", () => {
    const none = { token: undefined, getToken: undefined, queue: undefined, fetch: undefined };
    expect(() => setUp(none as object)).not.toThrow();
  });
});

type Case = readonly [string, (client: Client) => unknown, code: string, message: string | RegExp];

const OPTIONS: readonly Case[] = [
  ["publish, event", (c) => c.publish("a", 1, { event: anyOf(5) }), "invalid_options", "event is 5"],
  ["publish, event", (c) => c.publish("a", 1, { event: anyOf(null) }), "invalid_options", "event is null"],
  ["publish, id", (c) => c.publish("a", 1, { id: anyOf(5) }), "invalid_options", "id is 5"],
  ["patch, id", (c) => c.patch("a", {}, { id: anyOf(["x"]) }), "invalid_options", "id is an array of 1"],
  ["next, id", (c) => c.next("a", { id: anyOf(5) }), "invalid_options", "id is 5"],
  ["next, count", (c) => c.next("a", { count: anyOf("3") }), "invalid_options", 'count is "3"'],
  ["next, count", (c) => c.next("a", { count: Number.NaN }), "invalid_options", "count is NaN"],
  ["lock, lease", (c) => c.lock("a", { leaseSeconds: anyOf("9") }), "invalid_options", 'leaseSeconds is "9"'],
  [
    "lock, lease",
    (c) => c.lock("a", { leaseSeconds: anyOf(null) }),
    "invalid_options",
    "leaseSeconds is null",
  ],
  ["lock, lease", (c) => c.lock("a", { leaseSeconds: 1 / 0 }), "invalid_options", "leaseSeconds is Infinity"],
  ["lock, wait", (c) => c.lock("a", { waitSeconds: anyOf("9") }), "invalid_request", 'waitSeconds is "9"'],
  ...(["snapshot", "onGap", "onState", "onPresence", "onSubscribed", "onError"] as const).map(
    (name): Case => [
      `subscribe, ${name}`,
      (c) => c.subscribe("a", () => {}, { [name]: "load" }),
      "invalid_options",
      `${name} is "load"`,
    ],
  ),
  [
    "subscribe, snapshot",
    (c) => c.subscribe("a", () => {}, { snapshot: anyOf(Promise.resolve()) }),
    "invalid_options",
    "snapshot is an object",
  ],
  [
    "subscribe, since",
    (c) => c.subscribe("a", () => {}, { since: anyOf(5) }),
    "invalid_position",
    "5 is no position",
  ],
  [
    "subscribe, since",
    (c) => c.subscribe("a", () => {}, { since: anyOf({ epoch: ["00000000000000a1"], offset: 1 }) }),
    "invalid_position",
    /is no position/,
  ],
  [
    "patch, version",
    (c) => c.patch("a", {}, { ifVersion: anyOf("x") }),
    "invalid_position",
    '"x" is no position',
  ],
];

const CHANNELS: readonly (readonly [string, (client: Client, name: never) => unknown])[] = [
  ["subscribe", (c, name) => c.subscribe(name, () => {})],
  ["messages", (c, name) => c.messages(name)],
  ["publish", (c, name) => c.publish(name, 1)],
  ["patch", (c, name) => c.patch(name, {})],
  ["lock", (c, name) => c.lock(name)],
  ["watchLock", (c, name) => c.watchLock(name, () => {})],
  ["next", (c, name) => c.next(name)],
  ["watchSequence", (c, name) => c.watchSequence(name, () => {})],
];

const HANDLERS: readonly Case[] = (
  [
    ["subscribe", (c, handler) => c.subscribe("a", handler)],
    ["watchLock", (c, handler) => c.watchLock("a", handler)],
    ["watchSequence", (c, handler) => c.watchSequence("a", handler)],
    ["on", (c, handler) => c.on("gap", handler)],
  ] as readonly (readonly [string, (client: Client, handler: never) => unknown])[]
).flatMap(([name, call]): Case[] => [
  [name, (c) => call(c, anyOf(undefined)), "invalid_request", "the handler is undefined"],
  [name, (c) => call(c, anyOf("show")), "invalid_request", 'the handler is "show"'],
]);

const cycle: { self?: unknown } = {};
cycle.self = cycle;
const NO_JSON: readonly (readonly [unknown, RegExp])[] = [
  [() => {}, /^NAME is nothing that JSON has$/],
  [1n, /^NAME cannot be sent as JSON: .*BigInt/],
  [cycle, /^NAME cannot be sent as JSON: .*circular/],
  [Number.NaN, /^NAME cannot be sent as JSON: NaN$/],
  [{ price: 1 / 0 }, /^NAME cannot be sent as JSON: its price is Infinity$/],
];
const VALUES: readonly Case[] = NO_JSON.flatMap(([value, message]): Case[] => {
  const of = (name: string) => new RegExp(message.source.replace("NAME", name));
  return [
    ["publish", (c) => c.publish("a", value), "invalid_value", of("data")],
    ["patch", (c) => c.patch("a", anyOf(value)), "invalid_value", of("patch")],
    ["lock", (c) => c.lock("a", { info: value }), "invalid_value", of("info")],
  ];
});

describe("nothing is sent, and the connection goes on, after", () => {
  const all: readonly Case[] = [
    ...OPTIONS,
    ...HANDLERS,
    ...VALUES,
    ...CHANNELS.flatMap(([name, call]): Case[] => [
      [name, (c) => call(c, anyOf(undefined)), "invalid_channel", "undefined is no channel name"],
      [name, (c) => call(c, anyOf(null)), "invalid_channel", "null is no channel name"],
      [name, (c) => call(c, anyOf(5)), "invalid_channel", "5 is no channel name"],
      [name, (c) => call(c, anyOf(["a"])), "invalid_channel", "an array of 1 is no channel name"],
      [name, (c) => call(c, anyOf("a b")), "invalid_channel", '"a b" is no channel name'],
    ]),
    ["on", (c) => c.on(anyOf("toString"), () => {}), "invalid_request", '"toString" is no event of a client'],
    [
      "on",
      (c) => c.on(anyOf("__proto__"), () => {}),
      "invalid_request",
      '"__proto__" is no event of a client',
    ],
    ["on", (c) => c.on(anyOf(undefined), () => {}), "invalid_request", "undefined is no event of a client"],
  ];

  test.each(all)("%s is called with a wrong value (%#)", async (_name, call, code, message) => {
    const { client, server, heard } = await live();
    const expected = typeof message === "string" ? message : expect.stringMatching(message);
    expect(await refusalOf(() => call(client))).toMatchObject({
      name: "ClientError",
      code,
      message: expected,
      remedy: expect.stringMatching(/^\w.*\.$/),
    });
    await settled();
    expect(server.socket.news()).toEqual([]);
    server.message("news", 6);
    expect(heard).toEqual([6]);
  });
});

test("a position that is not known yet is none, and so is no version", async () => {
  const { client, server } = await live();
  client.subscribe("a", () => {}, { since: anyOf(null) });
  void client.patch("a", {}, { ifVersion: null });
  await settled();
  expect(server.socket.news()).toMatchObject([
    { type: "patch", ifVersion: null },
    { type: "subscribe", channels: [{ channel: "a" }] },
  ]);
});

test("what the server keeps of records, locks and sequences can be heard", async () => {
  const { client, server } = await live();
  for (const kind of ["lock", "sequence", "index"]) client.subscribe(`$${kind}:a`, () => {});
  await settled();
  expect(server.socket.news()).toMatchObject([
    { channels: [{ channel: "$lock:a" }, { channel: "$sequence:a" }, { channel: "$index:a" }] },
  ]);
});
