/** What is given to the library and is not known is mostly misspelt: it is refused by its name, and nothing happens. */
import { describe, expect, test } from "vitest";
import {
  createFanfare,
  DiskEngine,
  type Fanfare,
  type FanfareOptions,
  MemoryEngine,
  signToken,
} from "../../packages/server/src/index.js";
import { make } from "./serve.js";

const SECRET = "0123456789abcdef0123456789abcdef";
const KEY = "0123456789abcdef";

const OPTIONS: readonly (readonly [options: object, message: string])[] = [
  [{ tokns: {} }, 'createFanfare: "tokns" is not known. Did you mean tokens? Use apiKeys, '],
  [{ port: 3030 }, 'createFanfare: "port" is not known. '],
  [
    { limits: { conections: 1 } },
    'limits: "conections" is not known. Did you mean connections? Use connections, ',
  ],
  [{ limits: 5 }, "limits is a number. Give an object."],
  [{ rates: { frames: 1 } }, 'rates: "frames" is not known. Use connectsPerAddress, '],
  [{ rates: [1] }, "rates is a list. Give an object."],
  [
    { tokens: { secret: SECRET } },
    'tokens: "secret" is not known. Did you mean secrets? Use secrets, publicKeys, ',
  ],
  [{ tokens: SECRET }, "tokens is a string. Give an object."],
  [
    { forwardedSession: { url: "https://app.example.com/who", cookie: ["SID"] } },
    'forwardedSession: "cookie" is not known. Did you mean cookies? Use url, cookies, checkSeconds, timeoutSeconds.',
  ],
  [
    { apiKeys: [KEY, { key: KEY, grant: [] }] },
    'apiKeys[1]: "grant" is not known. Did you mean grants? Use key, name, grants.',
  ],
  [{ anonymous: [{ channels: "a", action: ["publish"] }] }, "anonymous[0].actions is missing"],
  [{ rules: [{ channels: "a", maxrate: 5 }] }, 'rules[0]: "maxrate" is not known'],
  [{ rules: [{ channels: "a", presence: { maxlisted: 5 } }] }, 'rules[0].presence: "maxlisted" is not known'],
  [
    { socketio: { paht: "/x" } },
    'socketio: "paht" is not known. Did you mean path? Use path, authentication, services.',
  ],
  [
    { socketio: { services: [{ name: "orders", jion: "named" }] } },
    'socketio.services[0]: "jion" is not known. Did you mean join? Use name, path, records, join, multi, paginate.',
  ],
  [{ channels: { a: { mesage: {} } } }, 'channels: "a" has "mesage", which is not known'],
];

const WRONG: readonly (readonly [options: object, message: string])[] = [
  [{ apiKeys: KEY }, "apiKeys is a string. Give a list, each item at least 16 visible"],
  [{ apiKeys: [{}] }, "apiKeys[0].key is missing. Give at least 16"],
  [{ userGrants: {} }, "userGrants is an object"],
  [{ authorize: {} }, "authorize is an object. Give a function."],
  [
    { allowedOrigins: "https://app.example.com" },
    "allowedOrigins is a string. Give a list, each item scheme, host and port only",
  ],
  [{ allowedHosts: "push.internal" }, "allowedHosts is a string. Give a list, each item a host name"],
  [{ loopbackOnly: "no" }, 'loopbackOnly is "no". Give true or false.'],
  [{ trustedProxies: "10.0.0.1" }, "trustedProxies is a string. Give a list, each item an address"],
  [{ rules: {} }, "rules is an object"],
  [{ rules: [{}] }, "rules[0].channels is missing"],
  [{ rules: [{ channels: "a", auto: "no" }] }, 'rules[0].auto is "no"'],
  [{ tokens: { secrets: SECRET } }, "tokens.secrets is a string. Give a list, each item at least 32 visible"],
  [
    { tokens: { secrets: [SECRET], issuers: "me" } },
    "tokens.issuers is a string. Give a list, each item a text.",
  ],
  [
    { forwardedSession: { url: "https://a.example", cookies: "SID" } },
    "forwardedSession.cookies is a string. Give a list, each item a name of a cookie.",
  ],
  [{ socketio: { services: "orders" } }, "socketio.services is a string. Give a list of names and services."],
  [
    { reservedPaths: "mendx" },
    'reservedPaths is "mendx". Give a list of names, or "mendix" for those of Mendix.',
  ],
  [{ dataDir: 5 }, "dataDir is 5. Give a text."],
  [{ channels: [] }, "channels is a list. Give an object."],
  [{ channels: { a: null } }, 'channels: "a" is null'],
  [{ engine: "disk" }, 'engine is "disk". Give an object.'],
  [{ logger: () => {} }, "logger is a function. Give an object."],
  [{ allowIsolated: "no" }, 'allowIsolated is "no". Give true or false.'],
];

test.each(WRONG)("an option of another kind is refused, and no secret told: %j", (options, message) => {
  expect(() => createFanfare(options as FanfareOptions)).toThrow(message);
});

describe("an option that is not known", () => {
  test.each(OPTIONS)("%j is refused", (options, message) => {
    expect(() => createFanfare(options as FanfareOptions)).toThrow(message);
  });

  test("is refused by reload, too, with what only a restart can change; and nothing is changed", async () => {
    const fanfare = make({ rules: [{ channels: "a", history: 1 }] });
    const reload = (options: object) => () => fanfare.reload(options);
    expect(reload({ rules: [], tokns: {} })).toThrow(
      'reload: "tokns" is not known. Did you mean tokens? Use apiKeys, ',
    );
    expect(reload({ rules: [], limits: {} })).toThrow('reload: "limits" is not known. Use apiKeys, ');
    await fanfare.publish("a", 1);
    await fanfare.publish("a", 2);
    expect((await fanfare.history("a")).messages).toHaveLength(1);
  });

  test("of an engine is refused", async () => {
    const misspelt: object = { maxByts: 1 };
    expect(() => new MemoryEngine(misspelt)).toThrow(
      'MemoryEngine: "maxByts" is not known. Did you mean maxBytes? Use ',
    );
    await expect(DiskEngine.open({ dataDir: "/dev/null/x", ...misspelt })).rejects.toThrow(
      'DiskEngine: "maxByts" is not known. Did you mean maxBytes? Use ',
    );
  });

  test("of close is refused", () => {
    const misspelt: object = { withinMS: 1 };
    expect(() => make().close(misspelt)).toThrow('close: "withinMS" is not known. Use withinSeconds.');
  });
});

test.each<[string, (fanfare: Fanfare) => unknown, string]>([
  ["publish", (f) => f.publish(["a"] as never, 1), "an array of 1 is no channel name: it is no text"],
  ["publish", (f) => f.publish({ channel: "a" } as never, 1), "is no channel name: it is no text"],
  ["publishMany", (f) => f.publishMany({ channels: "abc" as never, data: 1 }), 'messages.channels is "abc"'],
  ["states.patch", (f) => f.states.patch("a", {}, { ifVersion: 5 as never }), "5 is no position"],
  ["states.patch", (f) => f.states.patch("a", {}, { ifVersion: {} as never }), "an object is no position"],
  ["logOut", (f) => f.logOut(undefined as never), "user is missing"],
  ["on", (f) => f.on("connected", undefined as never), "the listener of connected is undefined"],
])("%s refuses an argument of another kind", async (_name, call, text) => {
  const fanfare = make();
  await expect((async () => call(fanfare))()).rejects.toThrow(text);
  expect(await fanfare.states.get("a"), "nothing was changed").toBeNull();
});

type Row = readonly [
  name: string,
  call: (fanfare: Fanfare) => Promise<unknown>,
  message: string,
  remedy: string,
];

const misspelt = (name: string): object => ({ [name]: 1 });
const message = { channel: "a", data: 1 };

const CALLS: readonly Row[] = [
  [
    "publish",
    (f) => f.publish("a", 1, misspelt("evnt")),
    'options has "evnt"',
    "Did you mean event? Use event, id.",
  ],
  [
    "publish",
    (f) => f.publish("a", 1, "paid" as never),
    'options is "paid"',
    "Give an object with event, id.",
  ],
  [
    "publishMany",
    (f) => f.publishMany([message, { ...message, ...misspelt("evnt") }]),
    'messages[1] has "evnt"',
    "Did you mean event? Use channel, event, data, id.",
  ],
  [
    "publishMany",
    (f) => f.publishMany({ channels: ["a"], data: 1, ...misspelt("evnt") }),
    'messages has "evnt"',
    "Did you mean event? Use channels, event, data, id.",
  ],
  [
    "history",
    (f) => f.history("a", misspelt("limt")),
    'options has "limt"',
    "Did you mean limit? Use after, limit.",
  ],
  [
    "states.patch",
    (f) => f.states.patch("a", {}, misspelt("ifversion")),
    'options has "ifversion"',
    "Did you mean ifVersion? Use ifVersion, id.",
  ],
  [
    "states.set",
    (f) => f.states.set("a", {}, misspelt("version")),
    'options has "version"',
    "Use ifVersion, id.",
  ],
  ["states.remove", (f) => f.states.remove("a", misspelt("kye")), 'options has "kye"', "Use ifVersion, id."],
  [
    "presence.list",
    (f) => f.presence.list("a", misspelt("aftr")),
    'options has "aftr"',
    "Did you mean after? Use after, limit.",
  ],
  [
    "locks.acquire",
    (f) => f.locks.acquire("a", misspelt("leaseSecond")),
    'options has "leaseSecond"',
    "Did you mean leaseSeconds? Use leaseSeconds, info.",
  ],
  [
    "locks.acquire",
    (f) => f.locks.acquire("a", misspelt("token")),
    'options has "token"',
    "Use leaseSeconds, info.",
  ],
  [
    "sequences.next",
    (f) => f.sequences.next("a", misspelt("coun")),
    'options has "coun"',
    "Did you mean count? Use count, start, id.",
  ],
  [
    "token",
    (f) => f.token({ user: "alice", grants: [], ...misspelt("expiresInSecond") }),
    'request has "expiresInSecond"',
    "Did you mean expiresInSeconds? Use user, grants, expiresInSeconds, info.",
  ],
  [
    "signToken",
    () => signToken({ secret: SECRET, user: "alice", grants: [], ...misspelt("expires") }),
    'options has "expires"',
    "Use user, grants, expiresInSeconds, info, secret, issuer, audience, now, id.",
  ],
];

test.each(CALLS)("%s refuses what it does not know", async (_name, call, text, remedy) => {
  const fanfare = make({ rules: [{ channels: "**", presence: true }], tokens: { secrets: [SECRET] } });
  await expect(call(fanfare)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining(text),
    remedy,
  });
  expect(await fanfare.position("a"), "nothing was published").toMatchObject({ offset: 0 });
  expect(await fanfare.sequences.get("a"), "no number was taken").toBeNull();
  expect(await fanfare.locks.get("a"), "no lock was taken").toBeNull();
});

test("a lock refuses to be renewed with what is not known", async () => {
  const lock = await make().locks.acquire("a");
  await expect(lock.renew(misspelt("leaseMs"))).rejects.toMatchObject({ code: "invalid_request" });
});
