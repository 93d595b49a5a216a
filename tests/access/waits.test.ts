/** What was found out about a caller before a wait is looked at again after it: bodies that take their time, and applications that do. */
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import {
  defineChannels,
  type FanfareOptions,
  type Grant,
  signToken,
} from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
import { EventStream } from "../doors/event-stream.js";
import { serve } from "../doors/serving.js";
import { connect } from "../doors/socketio-client.js";
import { soon } from "../doors/waiting.js";
import { post } from "../library/serve.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const ADMIN = "0123456789-the-admin";
const SERVICE = "todos";
const ALL: readonly Grant[] = [{ channels: "**", actions: ["*", "admin"] }];
const bearer = (credential: string) => ({ Authorization: `Bearer ${credential}` });

async function serving(options: FanfareOptions = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const clock = new FakeClock();
  const all: FanfareOptions = {
    clock,
    dataDir,
    access: "granted",
    apiKeys: [ADMIN],
    tokens: { secrets: [SECRET] },
    socketio: { services: [SERVICE] },
    ...options,
  };
  const served = await serve(all);
  const site = new URL(served.http).origin;
  return { ...served, clock, site, options: all };
}
type Served = Awaited<ReturnType<typeof serving>>;

const signed = ({ clock }: Served, now = clock.now()) =>
  signToken({ secret: SECRET, user: "alice", grants: ALL, expiresInSeconds: 60, now });

/** How somebody loses what they came with. */
const WAYS_TO_GO: Record<string, (served: Served) => Promise<{ credential: string; lose: () => unknown }>> = {
  "whose user was logged out": async (served) => {
    const { token } = await signed(served);
    const lose = () => fetch(`${served.http}/users/alice`, { method: "DELETE", headers: bearer(ADMIN) });
    return { credential: token, lose };
  },
  "whose token was revoked": async (served) => {
    const { token, id } = await signed(served);
    const lose = () => fetch(`${served.http}/tokens/${id}`, { method: "DELETE", headers: bearer(ADMIN) });
    return { credential: token, lose };
  },
  "whose token expired": async (served) => {
    // A body has 30 seconds; the token has 20 more.
    const { token } = await signed(served, served.clock.now() - 70_000);
    return { credential: token, lose: () => served.clock.advance(21_000) };
  },
  "whose key was revoked": async (served) => {
    const made = await post(`${served.http}/keys`, { name: "shop", grants: ALL }, bearer(ADMIN));
    const { key, id } = (await made.json()) as { key: string; id: string };
    const lose = () => fetch(`${served.http}/keys/${id}`, { method: "DELETE", headers: bearer(ADMIN) });
    return { credential: key, lose };
  },
  "whose key was replaced by another of the same name": async (served) => {
    const reload = (key: string) =>
      served.fanfare.reload({
        access: "granted",
        apiKeys: [ADMIN, { key, name: "shop" }],
        tokens: { secrets: [SECRET] },
      });
    reload("0123456789-the-first");
    return { credential: "0123456789-the-first", lose: () => reload("0123456789-the-other") };
  },
};

/** Every call that has a body. */
const CALLS: readonly (readonly [method: string, path: string, body: object])[] = [
  ["POST", "/channels/a/messages", { data: 1 }],
  ["POST", "/messages", { messages: [{ channel: "a", data: 1 }] }],
  ["PATCH", "/channels/a/state", { n: 1 }],
  ["PUT", "/channels/a/state", { n: 1 }],
  ["PUT", "/locks/a", { leaseSeconds: 5 }],
  ["POST", "/sequences/a/next", { count: 2 }],
  ["POST", "/keys", { name: "another" }],
  ["POST", "/tokens", { user: "bob", grants: [] }],
  ["POST", "/revocations", { user: "carol" }],
  ["POST", "/sse", { channels: [{ channel: "a" }] }],
  ["POST", "/tickets", { channels: ["a"] }],
  ["POST", "/access/explain", { action: "publish", channel: "a" }],
];
const REST: typeof CALLS = [
  ["POST", `/${SERVICE}`, { text: "new" }],
  ["PUT", `/${SERVICE}/1`, { text: "new" }],
  ["PATCH", `/${SERVICE}/1`, { text: "new" }],
];

/** Begins a request, and answers with what ends it. */
async function slowly(method: string, url: string, body: object, credential: string | null) {
  const json = JSON.stringify(body);
  const sent = request(url, {
    method,
    headers: {
      "Content-Type": "application/json",
      "Content-Length": json.length,
      Expect: "100-continue",
      ...(credential !== null && bearer(credential)),
    },
  });
  onTestFinished(() => void sent.destroy());
  const answered = new Promise<{ status: number; text: string }>((done, failed) => {
    sent.on("error", failed);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (more: string) => {
        text += more;
      });
      const { statusCode = 0 } = response;
      // A stream has no end.
      if (statusCode === 200 && url.endsWith("/sse")) done({ status: statusCode, text });
      response.on("end", () => done({ status: statusCode, text }));
    });
  });
  await soon(new Promise((done) => sent.once("continue", done)), "100 Continue");
  sent.write(json.slice(0, -1));
  return () => {
    sent.end(json.slice(-1));
    return soon(answered, "an answer");
  };
}

/** What there is of everything that the calls could have made. */
async function traces({ http, site }: Served) {
  const read = async (url: string) => (await fetch(url, { headers: bearer(ADMIN) })).json();
  const { channels } = (await read(`${http}/channels`)) as { channels: { channel: string; head: number }[] };
  const { keys } = (await read(`${http}/keys`)) as { keys: { name: string }[] };
  const heads = channels.filter(({ head }) => head > 0).map(({ channel, head }) => `${channel} ${head}`);
  return {
    heads,
    keys: keys.map(({ name }) => name).filter((name) => name !== "shop"),
    records: await read(`${site}/${SERVICE}/1`),
  };
}

describe.each(Object.keys(WAYS_TO_GO))("a caller %s while the body was on its way", (way) => {
  test("is refused by every call that has a body, and nothing is done", async () => {
    const served = await serving();
    const { http, site } = served;
    await post(`${site}/${SERVICE}`, { id: "1", text: "old" }, bearer(ADMIN));
    const gone = WAYS_TO_GO[way];
    if (!gone) throw new Error(way);
    const { credential, lose } = await gone(served);
    const before = await traces(served);
    const calls = [
      ...CALLS.map((call) => [http, ...call] as const),
      ...REST.map((call) => [site, ...call] as const),
    ];
    const ends: (readonly [string, () => Promise<{ status: number; text: string }>])[] = [];
    for (const [base, method, path, body] of calls) {
      ends.push([`${method} ${path}`, await slowly(method, `${base}${path}`, body, credential)]);
    }
    // By then it is known who they are.
    const known = await fetch(`${http}/channels/a/messages`, { headers: bearer(credential) });
    expect(known.status).toBe(200);
    await lose();
    for (const [name, end] of ends) {
      const { status, text } = await end();
      expect(`${name} ${status}`).toBe(`${name} 401`);
      expect(text).not.toContain("old");
    }
    expect(await traces(served)).toEqual(before);
    expect(served.fanfare.stats().connections).toBe(0);
  });
});

test("every call of the HTTP API that has a body is in the table", async () => {
  const { http } = await serving();
  const { paths } = (await (await fetch(`${http}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { requestBody?: unknown }>>;
  };
  const named = (path: string) => path.replace(/\{(?:channel|name)\}/, "a");
  const withBody = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { requestBody }]) => requestBody !== undefined)
      .map(([method]) => `${method.toUpperCase()} ${named(path)}`),
  );
  expect(CALLS.map(([method, path]) => `${method} ${path}`).sort()).toEqual(withBody.sort());
});

test("a caller who loses a grant while the body is on its way is told that the call is forbidden", async () => {
  const { http, fanfare } = await serving({ access: "open" });
  const may = (actions: Grant["actions"]): FanfareOptions => ({
    anonymous: [{ channels: "**", actions }],
    apiKeys: [ADMIN],
  });
  const end = await slowly("POST", `${http}/channels/a/messages`, { data: 1 }, null);
  const batch = await slowly("POST", `${http}/messages`, { messages: [{ channel: "a", data: 1 }] }, null);
  const other = await slowly("PATCH", `${http}/channels/a/state`, { n: 1 }, null);
  fanfare.reload(may(["patch"]));
  expect(await end()).toMatchObject({ status: 401 });
  expect(await batch()).toMatchObject({ status: 401 });
  expect(await other()).toMatchObject({ status: 200 });
});

test("what every user may do is taken away by a reload also from those who have come in", async () => {
  const served = await serving({ userGrants: [{ channels: "news", actions: ["subscribe"] }] });
  const { token } = await signToken({ secret: SECRET, user: "alice", grants: [], now: served.clock.now() });
  const client = await Client.open(served.url);
  await client.connect({ token });
  await client.subscribe("news");
  served.fanfare.reload({ ...reloadable(served.options), userGrants: [] });
  expect(await client.others.nextThat(({ type }) => type === "unsubscribed")).toMatchObject({
    channel: "news",
  });
});

function reloadable({ access, apiKeys, tokens }: FanfareOptions): FanfareOptions {
  return { ...(access && { access }), ...(apiKeys && { apiKeys }), ...(tokens && { tokens }) };
}

// ---- an application that takes its time to say who somebody is

type Attempt = (served: Served) => Promise<{ refused: unknown; heard: readonly unknown[] }>;

const DOORS: Record<string, Attempt> = {
  WebSocket: async ({ url }) => {
    const client = await Client.open(url);
    client.say({ type: "connect", token: "alice" });
    const { code } = await soon(client.closed, "the end");
    return { refused: code, heard: client.heard };
  },
  "GET /sse": async ({ http }) => {
    const answer = await fetch(`${http}/sse?channel=a`, { headers: bearer("alice") });
    return { refused: answer.status, heard: [] };
  },
  "POST /sse": async ({ http }) => {
    const answer = await post(`${http}/sse`, { channels: [{ channel: "a" }] }, bearer("alice"));
    return { refused: answer.status, heard: [] };
  },
  "POST /tickets": async ({ http }) => {
    const answer = await post(`${http}/tickets`, { channels: ["a"] }, bearer("alice"));
    return { refused: answer.status, heard: [] };
  },
  "GET of the history": async ({ http }) => {
    const answer = await fetch(`${http}/channels/a/messages`, { headers: bearer("alice") });
    return { refused: answer.status, heard: [] };
  },
  "POST of a message": async ({ http }) => {
    const answer = await post(`${http}/channels/a/messages`, { data: 1 }, bearer("alice"));
    return { refused: answer.status, heard: [] };
  },
  "Feathers REST": async ({ site }) => {
    const answer = await fetch(`${site}/${SERVICE}`, { headers: bearer("alice") });
    return { refused: answer.status, heard: [] };
  },
  "Socket.IO": async ({ site }) => refusedBySocketIo(site, ["websocket"]),
  "Socket.IO, by polling": async ({ site }) => refusedBySocketIo(site, ["polling"]),
};

async function refusedBySocketIo(site: string, transports: ("polling" | "websocket")[]) {
  const error: unknown = await connect(site, { transports, auth: { token: "alice", channels: ["a"] } }).then(
    () => null,
    (error: { data?: { code?: number } }) => error.data?.code,
  );
  return { refused: error, heard: [] };
}

describe.each(Object.entries(DOORS))("by %s, an application that answers", (_, attempt) => {
  const slowApplication = async (meanwhile: (served: Served) => Promise<unknown> | unknown) => {
    let asked = () => {};
    let answer = () => {};
    const isAsked = new Promise<void>((done) => {
      asked = done;
    });
    const mayAnswer = new Promise<void>((done) => {
      answer = done;
    });
    const options: FanfareOptions = {
      tokens: {},
      authorize: async () => {
        asked();
        await mayAnswer;
        return { user: "alice", grants: ALL };
      },
    };
    const served = await serving(options);
    await served.fanfare.publish("a", "secret");
    const attempted = attempt(served);
    await soon(isAsked, "the question");
    await meanwhile(served);
    answer();
    const { refused, heard } = await attempted;
    expect(JSON.stringify(heard)).not.toContain("secret");
    expect(heard).toEqual([]);
    expect((await served.fanfare.history("a")).messages).toHaveLength(1);
    expect(served.fanfare.stats().connections).toBe(0);
    return { served, refused };
  };

  test("after its user was logged out lets nobody in, and the next answer does", async () => {
    const { served, refused } = await slowApplication(({ fanfare }) => fanfare.logOut("alice"));
    expect([401, 4401]).toContain(refused);
    // Asked anew, it is a log-in after the log-out, also within the same millisecond.
    const answer = await fetch(`${served.http}/channels/a/messages`, { headers: bearer("alice") });
    expect(answer.status).toBe(200);
  });

  test("after another user was logged out is not touched by it", async () => {
    const served = await serving({
      tokens: {},
      authorize: async () => ({ user: "alice", grants: ALL }),
    });
    await served.fanfare.logOut("bob");
    const answer = await fetch(`${served.http}/channels/a/messages`, { headers: bearer("alice") });
    expect(answer.status).toBe(200);
  });
});

describe("what is on its way when its client is sent away", () => {
  const slowCheck = () => {
    const gates: (() => void)[] = [];
    let waiting = () => {};
    const isWaiting = new Promise<void>((done) => {
      waiting = done;
    });
    const channels = defineChannels({
      "slow:{id}": {
        message: z.unknown().refine(async () => {
          waiting();
          await new Promise<void>((done) => gates.push(done));
          return true;
        }),
      },
    });
    const open = () => {
      for (const gate of gates.splice(0)) gate();
    };
    return { channels, isWaiting, open };
  };

  const PUBLISHERS: Record<string, (served: Served, token: string) => Promise<unknown>> = {
    WebSocket: async ({ url }, token) => {
      const client = await Client.open(url);
      await client.connect({ token });
      client.say({ type: "publish", request: 1, channel: "slow:a", data: 1 });
      return null;
    },
    "Socket.IO": async ({ site }, token) => {
      const { socket } = await connect(site, { auth: { token } });
      socket.emit("publish", { channel: "slow:a", data: 1 });
      return null;
    },
    HTTP: async ({ http }, token) => {
      void post(`${http}/channels/slow:a/messages`, { data: 1 }, bearer(token));
      return null;
    },
    "HTTP, many at once": async ({ http }, token) => {
      void post(`${http}/messages`, { messages: [{ channel: "slow:a", data: 1 }] }, bearer(token));
      return null;
    },
  };

  test.each(Object.entries(PUBLISHERS))("over %s is not published", async (_, publish) => {
    const { channels, isWaiting, open } = slowCheck();
    const served = await serving({ channels } as FanfareOptions);
    const { token } = await signed(served);
    await publish(served, token);
    await soon(isWaiting, "the check");
    await served.fanfare.logOut("alice");
    open();
    // What is published after it on the same channel waits for it.
    const after = served.fanfare.publish("slow:a", "later");
    await soon(
      (async () => {
        for (let done = false; !done; ) {
          open();
          done = await Promise.race([
            after.then(() => true),
            new Promise<false>((no) => setImmediate(() => no(false))),
          ]);
        }
      })(),
      "the later message",
    );
    const { messages } = await served.fanfare.history("slow:a");
    expect(messages.map(({ data }) => data)).toEqual(["later"]);
  });
});

test("a stream that waits for its state when its user is logged out is closed, and hears nothing more", async () => {
  const served = await serving();
  const { token } = await signed(served);
  const stream = await EventStream.open(`${served.http}/sse?channel=a`, { headers: bearer(token) });
  await served.fanfare.logOut("alice");
  expect(JSON.parse((await stream.own.nextThat(({ name }) => name === "fanfare.closed")).data)).toMatchObject(
    {
      code: 4401,
    },
  );
  await served.fanfare.publish("a", 1);
  await soon(stream.ended, "the end");
  expect(stream.deliveries.size).toBe(0);
});
