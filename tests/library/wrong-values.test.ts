/** What is given to the library and cannot be it: the answer names what is wrong, and is never an error of JavaScript's. */
import { createServer } from "node:http";
import { afterAll, expect, test } from "vitest";
import { createClient } from "../../packages/client/src/index.js";
import type { Engine } from "../../packages/server/src/engine/engine.js";
import {
  createFanfare,
  DiskEngine,
  EngineServer,
  type Fanfare,
  type FanfareOptions,
  MemoryEngine,
  RemoteEngine,
  signToken,
} from "../../packages/server/src/index.js";

const SECRET = "0123456789abcdef0123456789abcdef";

/** One of each kind, and what JavaScript makes odd. */
const WRONG: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  10n,
  "",
  "two\nlines",
  Symbol("s"),
  () => {},
  async () => {},
  {},
  Object.create(null),
  { constructor: null },
  [],
  [undefined],
  [null],
  [[]],
  [{}],
  ["x"],
  new Date(Number.NaN),
  new Map(),
  new Proxy({}, {}),
];

/** How V8 and Node complain where nobody has looked. */
const UNCAUGHT =
  /cannot read prop|is not a function|is not iterable|is not a constructor|cannot convert|undefined \(reading|is not an object|in operator|argument must be|invalid (url|array|date|time)|maximum call stack|not defined|circular|(mix|serialize a|convert a) BigInt/i;

function complaint(error: unknown): string | null {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  return UNCAUGHT.test(error.message) || error.message === "" ? error.message : null;
}

function shown(value: unknown): string {
  try {
    return typeof value === "function" ? "function" : (JSON.stringify(value) ?? String(value));
  } catch {
    return typeof value;
  }
}

const opened: Fanfare[] = [];
afterAll(() => Promise.all(opened.map((fanfare) => fanfare.close({ withinSeconds: 0.005 }))));

function make(options: FanfareOptions = {}): Fanfare {
  const fanfare = createFanfare(options);
  opened.push(fanfare);
  return fanfare;
}

/** Tries all wrong values. @returns the complaints that nobody worded */
async function faultsOf(call: (value: never) => unknown): Promise<string> {
  const faults: string[] = [];
  for (const value of WRONG) {
    try {
      await call(value as never);
    } catch (error) {
      const found = complaint(error);
      if (found !== null) faults.push(`${shown(value)}: ${found}`);
    }
  }
  return faults.join("\n");
}

const OPTIONS: readonly string[] = [
  ...[
    "path",
    "reservedPaths",
    "socketio",
    "dataDir",
    "channels",
    "limits",
    "engine",
    "allowIsolated",
    "logger",
  ],
  ...["clock", "random", "access", "apiKeys", "userGrants", "tokens", "authorize", "forwardedSession"],
  ...["allowedOrigins", "publicUrl", "allowedHosts", "loopbackOnly", "trustedProxies", "rates", "rules"],
];
const INNER: Readonly<Record<string, readonly string[]>> = {
  tokens: [...["secrets", "publicKeys", "jwksUrl", "issuers", "audiences", "clockSkewSeconds", "maxSeconds"]],
  forwardedSession: ["url", "cookies", "checkSeconds", "timeoutSeconds"],
  socketio: ["path", "services"],
  limits: ["connections", "messageBytes"],
  rates: ["connectsPerAddress"],
};

test.each(OPTIONS)("createFanfare says what is wrong with %s", async (name) => {
  expect(await faultsOf((value) => make({ [name]: value }))).toBe("");
});

test.each(Object.entries(INNER).flatMap(([outer, names]) => names.map((name) => [outer, name] as const)))(
  "createFanfare says what is wrong with %s.%s",
  async (outer, name) => {
    const rest = outer === "forwardedSession" ? { url: "https://app.example.com/who", cookies: ["SID"] } : {};
    expect(await faultsOf((value) => make({ [outer]: { ...rest, [name]: value } }))).toBe("");
  },
);

test.each(["channels", "history", "historySeconds", "maxRate", "events", "auto", "presence", "durability"])(
  "createFanfare says what is wrong with a rule's %s",
  async (name) => {
    expect(await faultsOf((value) => make({ rules: [{ channels: "a", [name]: value }] }))).toBe("");
  },
);

test("createFanfare says which part of an engine is missing, or which function of a part", () => {
  const { logs, signals, sessions, ...rest } = {
    ...{ durable: false, lossy: false, logs: {}, signals: {}, sessions: {} },
    ...{ space: () => {}, now: () => {}, close: () => {} },
  };
  const wrong = (engine: object) => () => createFanfare({ engine: engine as Engine });
  expect(wrong({})).toThrow("engine has no function space. Give an object with space, now, close.");
  expect(wrong(rest)).toThrow(/^engine\.logs has no function append\. Give an object with append, state, /);
  const full = Object.fromEntries(
    ["append", "state", "listen", "unlisten", "read", "heads", "list", "remove", "owners", "holdings"].map(
      (name) => [name, () => {}],
    ),
  );
  expect(wrong({ ...rest, logs: full, signals, sessions })).toThrow(/^engine\.signals has no function send/);
  const send = { send: () => {}, on: () => {} };
  expect(wrong({ ...rest, logs: full, signals: send, sessions })).toThrow(
    /^engine\.sessions has no function put/,
  );
  expect(wrong({ ...rest, logs })).toThrow(/^engine\.logs has no function append/);
});

test.each(["key", "name", "grants"])("createFanfare says what is wrong with a key's %s", async (name) => {
  expect(await faultsOf((value) => make({ apiKeys: [{ key: SECRET, [name]: value }] }))).toBe("");
});

test.each(["channels", "actions"])("createFanfare says what is wrong with a grant's %s", async (name) => {
  const grant = { channels: "a", actions: ["subscribe"] };
  expect(await faultsOf((value) => make({ userGrants: [{ ...grant, [name]: value }] as never }))).toBe("");
});

test.each(["name", "path", "records", "join"])(
  "createFanfare says what is wrong with a service's %s",
  async (name) => {
    const service = { name: "orders", [name]: undefined };
    expect(
      await faultsOf((value) => make({ socketio: { services: [{ ...service, [name]: value }] } as never })),
    ).toBe("");
  },
);

const CALLS: Readonly<Record<string, (fanfare: Fanfare, value: never) => unknown>> = {
  createFanfare: (_, value) => createFanfare(value),
  attach: (fanfare, value) => fanfare.attach(value),
  fetch: (fanfare, value) => fanfare.fetch(value),
  handler: (fanfare, value) => fanfare.handler(value, value),
  publish: (fanfare, value) => fanfare.publish(value, 1),
  "publish, options": (fanfare, value) => fanfare.publish("a", 1, value),
  "publish, data": (fanfare, value) => fanfare.publish("a", value),
  "publish, event": (fanfare, value) => fanfare.publish("a", 1, { event: value }),
  "publish, id": (fanfare, value) => fanfare.publish("a", 1, { id: value }),
  publishMany: (fanfare, value) => fanfare.publishMany(value),
  "publishMany, item": (fanfare, value) => fanfare.publishMany([value]),
  "publishMany, channels": (fanfare, value) => fanfare.publishMany({ channels: value, data: 1 }),
  history: (fanfare, value) => fanfare.history(value),
  "history, options": (fanfare, value) => fanfare.history("a", value),
  "history, after": (fanfare, value) => fanfare.history("a", { after: value }),
  "history, limit": (fanfare, value) => fanfare.history("a", { limit: value }),
  position: (fanfare, value) => fanfare.position(value),
  "states.get": (fanfare, value) => fanfare.states.get(value),
  "states.patch": (fanfare, value) => fanfare.states.patch("a", value),
  "states.patch, options": (fanfare, value) => fanfare.states.patch("a", {}, value),
  "states.patch, ifVersion": (fanfare, value) => fanfare.states.patch("a", {}, { ifVersion: value }),
  "states.set": (fanfare, value) => fanfare.states.set("a", value),
  "states.remove": (fanfare, value) => fanfare.states.remove("a", value),
  "presence.list": (fanfare, value) => fanfare.presence.list(value),
  "presence.count": (fanfare, value) => fanfare.presence.count(value),
  "presence.list, options": (fanfare, value) => fanfare.presence.list("a", value),
  "locks.acquire": (fanfare, value) => fanfare.locks.acquire(value),
  "locks.acquire, options": (fanfare, value) => fanfare.locks.acquire("a", value),
  "locks.acquire, leaseSeconds": (fanfare, value) => fanfare.locks.acquire("a", { leaseSeconds: value }),
  "locks.acquire, info": (fanfare, value) => fanfare.locks.acquire("a", { info: value }),
  "locks.get": (fanfare, value) => fanfare.locks.get(value),
  "locks.break": (fanfare, value) => fanfare.locks.break(value, 1),
  "sequences.next": (fanfare, value) => fanfare.sequences.next(value),
  "sequences.next, options": (fanfare, value) => fanfare.sequences.next("a", value),
  "sequences.next, count": (fanfare, value) => fanfare.sequences.next("a", { count: value }),
  "sequences.get": (fanfare, value) => fanfare.sequences.get(value),
  "sequences.remove": (fanfare, value) => fanfare.sequences.remove(value),
  removeChannel: (fanfare, value) => fanfare.removeChannel(value),
  token: (fanfare, value) => fanfare.token(value),
  "token, user": (fanfare, value) => fanfare.token({ user: value, grants: [] }),
  "token, grants": (fanfare, value) => fanfare.token({ user: "a", grants: value }),
  "token, expiresInSeconds": (fanfare, value) =>
    fanfare.token({ user: "a", grants: [], expiresInSeconds: value }),
  "token, info": (fanfare, value) => fanfare.token({ user: "a", grants: [], info: value }),
  logOut: (fanfare, value) => fanfare.logOut(value),
  reload: (fanfare, value) => fanfare.reload(value),
  on: (fanfare, value) => fanfare.on(value, () => {}),
  "on, listener": (fanfare, value) => fanfare.on("connected", value),
  signToken: (_, value) => signToken(value),
  MemoryEngine: (_, value) => new MemoryEngine(value),
  "DiskEngine.open": (_, value) => DiskEngine.open(value),
  "EngineServer.open": (_, value) => EngineServer.open(value),
  "RemoteEngine.open": (_, value) => RemoteEngine.open(value),
  "RemoteEngine.open, folder": (_, value) => RemoteEngine.open({ folder: value }),
  createClient: (_, value) => createClient(value),
  "createClient, url": (_, value) => createClient({ url: value }),
};

test.each(Object.entries(CALLS))("%s says what is wrong with an argument", async (_, call) => {
  const fanfare = make({ tokens: { secrets: [SECRET] } });
  expect(await faultsOf((value) => call(fanfare, value))).toBe("");
});

/** What takes a secret in this place, or has a place for anything. */
const UNNAMED = new Set(["signToken", "reload", "createFanfare"]);
const ENGINES = /Engine/;

test.each(Object.entries(CALLS).filter(([name]) => !UNNAMED.has(name) && !ENGINES.test(name)))(
  "%s names the wrong value, texts in quotes, and says what to do",
  async (_, call) => {
    const fanfare = make({ tokens: { secrets: [SECRET] } });
    for (const value of [42, "a wrong text", ""]) {
      const error = await (async () => call(fanfare, value as never))().catch((thrown: Error) => thrown);
      // A lock that the call before has taken.
      if (!(error instanceof Error) || "lock" in error) continue;
      const { remedy = error.message.replace(/^.*?\. /, "") } = error as Error & { remedy?: string };
      expect(error.message).toContain(JSON.stringify(value));
      expect(remedy).toMatch(/^(Give|Use|Send|Did|Set|Let)\b.*\.$/);
    }
  },
);

test("close says what is wrong with its options", async () => {
  expect(await faultsOf((value) => make().close({ withinSeconds: value }))).toBe("");
  expect(await faultsOf((value) => make().close(value))).toBe("");
});

test("attach says that Express hands out no server, and what to do", () => {
  const app = Object.assign(() => {}, { listen() {}, use() {} });
  expect(() => make().attach(app as never)).toThrow(
    "attach got a function. Give the HTTP server: const server = app.listen(8080); fanfare.attach(server).",
  );
  expect(() => make().attach(undefined as never)).toThrow("attach got undefined.");
  const server = createServer();
  make().attach(server);
});
