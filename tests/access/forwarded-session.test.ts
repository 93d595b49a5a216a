import { describe, expect, test } from "vitest";
import { Client } from "../doors/client.js";
import { EventStream } from "../doors/event-stream.js";
import { serve } from "../doors/serving.js";
import { connect } from "../doors/socketio-client.js";
import { problemOf } from "../library/serve.js";
import { type Answer, KEY, serving } from "./asked-application.js";

describe("a session of the application", () => {
  test("lets its user in, and shows the application the listed cookies and the CSRF token, and nothing else", async () => {
    const { open, asked, fanfare, port } = await serving();
    const client = await open("theme=dark; session=alice; sessions=x; tracking=y");
    expect(await client.connect({ csrf: "c1", token: undefined })).toMatchObject({ user: "alice" });
    await client.subscribe("user:alice:news");
    await fanfare.publish("user:alice:news", 1);
    expect(await client.offsets(1)).toEqual([1]);
    expect(asked).toHaveLength(1);
    const { host: _host, connection: _connection, ...shown } = asked[0] ?? {};
    expect(shown).toEqual({
      accept: "application/json",
      "accept-encoding": expect.any(String),
      "accept-language": "*",
      cookie: "session=alice",
      "sec-fetch-mode": "cors",
      "user-agent": expect.stringMatching(/^fanfare\//),
      "x-csrf-token": "c1",
      "x-forwarded-host": `localhost:${port}`,
    });
  });

  test.each([
    ["a wrong CSRF token", "session=alice", { csrf: "c2" }],
    ["no CSRF token", "session=alice", {}],
    ["a CSRF token that would end a header", "session=alice", { csrf: "c1\r\nCookie: session=bob" }],
    ["a CSRF token without end", "session=alice", { csrf: "c".repeat(5000) }],
    ["a wrong cookie", "session=bob", { csrf: "c1" }],
    ["the cookie twice", "session=bob; session=alice", { csrf: "c1" }],
  ])("is refused with %s, also while the right one is kept", async (_, cookie, connect) => {
    const { alice, closed } = await serving();
    const right = await alice();
    expect(await closed(cookie, connect)).toMatchObject({ code: 4401 });
    await right.alive();
  });

  test("that the application sends to its log-in page is none", async () => {
    const { app, closed } = await serving();
    app.answers.set("*", { status: 302 });
    expect(await closed("session=old")).toMatchObject({ code: 4401 });
  });

  test("is asked about by the host name that a trusted proxy says, and by no other", async () => {
    const behind = await serving({ trustedProxies: ["127.0.0.1", "::1"], socketio: {} });
    const direct = await serving({ socketio: {} });
    const headers = { Cookie: "session=alice", "X-Forwarded-Host": "app.example" };
    for (const { url, http, port, asked, clock } of [behind, direct]) {
      await (await Client.open(url, { headers })).connect({ csrf: "c1" });
      const own = { ...headers, "X-Csrf-Token": "c1" };
      await fetch(`${http}/channels/user:alice:a/messages`, { headers: own });
      await connect(`http://localhost:${port}`, { extraHeaders: headers, auth: { csrf: "c1" } });
      // Of a ticket, the request that it was asked with is long over.
      const page = { ...own, "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json" };
      const body = JSON.stringify({ channels: ["user:alice:a"] });
      const answer = await fetch(`${http}/tickets`, {
        method: "POST",
        headers: { ...page, Connection: "close" },
        body,
      });
      const { ticket } = (await answer.json()) as { ticket: string };
      await clock.forward(20_000, 1000);
      const before = asked.length;
      (await EventStream.open(`${http}/sse?ticket=${ticket}`)).vanish();
      expect(asked.length).toBe(before + 1);
      const hosts = new Set(asked.map(({ "x-forwarded-host": host }) => host));
      expect(hosts).toEqual(new Set([asked === behind.asked ? "app.example" : `localhost:${port}`]));
    }
  });

  test("of others is asked about while one address has as many questions waiting as it may", async () => {
    const { http, app, asked } = await serving({ trustedProxies: ["127.0.0.1", "::1"] });
    let letGo = () => {};
    app.held = new Promise((done) => {
      letGo = done;
    });
    const ask = (session: string, address: string) =>
      fetch(`${http}/channels/user:alice:a/messages`, {
        headers: { Cookie: `session=${session}`, "X-Forwarded-For": address, "X-Csrf-Token": "c1" },
      });
    const strangers = Array.from({ length: 128 }, (_, index) => ask(`stranger${index}`, "192.0.2.1"));
    await expect.poll(() => asked.length).toBe(128);
    const oneMore = await ask("another", "192.0.2.1");
    expect([oneMore.status, oneMore.headers.get("Retry-After")]).toEqual([503, "1"]);
    const alice = ask("alice", "192.0.2.2");
    await expect.poll(() => asked.length).toBe(129);
    letGo();
    expect((await alice).status).toBe(200);
    for (const stranger of await Promise.all(strangers)) expect([401, 429]).toContain(stranger.status);
  });

  test("is nobody's without the cookie, and where the application says so", async () => {
    const { open, asked } = await serving();
    for (const [cookie, count] of [
      ["theme=dark", 0],
      ["session=guest", 1],
    ] as const) {
      const client = await open(cookie);
      expect(await client.connect()).not.toHaveProperty("user");
      expect(await client.ask({ type: "subscribe", channel: "user:alice:news" })).toMatchObject({
        code: "forbidden",
      });
      expect(asked).toHaveLength(count);
    }
  });

  test("is asked about once for all that come at once, and again after 15 seconds, or 2 where it was refused", async () => {
    const { app, alice, asked, closed, clock } = await serving();
    let letGo = () => {};
    app.held = new Promise((done) => {
      letGo = done;
    });
    const all = Promise.all([alice(), alice(), alice()]);
    await expect.poll(() => asked.length).toBe(1);
    letGo();
    await all;
    clock.advance(14_999);
    await alice();
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await alice();
    expect(asked).toHaveLength(2);
    await closed("session=bob");
    clock.advance(1999);
    await closed("session=bob");
    expect(asked).toHaveLength(3);
    clock.advance(1);
    await closed("session=bob");
    expect(asked).toHaveLength(4);
  });

  test("that is refused counts as a log-in of its address, and from too many on it is asked about no more", async () => {
    const { http, asked } = await serving({
      trustedProxies: ["127.0.0.1", "::1"],
      rates: { logInsPerAddress: 2 },
    });
    const read = async (session: string, address: string) => {
      const headers = { Cookie: `session=${session}`, "X-Csrf-Token": "c1", "X-Forwarded-For": address };
      return (await fetch(`${http}/channels/user:alice:a/messages`, { headers })).status;
    };
    expect(await read("alice", "192.0.2.1")).toBe(200);
    expect([await read("guess1", "192.0.2.1"), await read("guess2", "192.0.2.1")]).toEqual([401, 401]);
    expect(asked).toHaveLength(3);
    // Not even with the right one, or guessing would go on.
    expect(await read("alice", "192.0.2.1")).toBe(429);
    expect(await read("guess3", "192.0.2.1")).toBe(429);
    expect(await read("alice", "192.0.2.2")).toBe(200);
    expect(asked).toHaveLength(3);
  });
});

describe("a live connection", () => {
  test("is asked about again within 5 minutes, and closed when the session is over", async () => {
    const { alice, app, asked, pass } = await serving();
    const client = await alice();
    await pass(301);
    await client.alive();
    expect(asked).toHaveLength(2);
    app.answers.clear();
    await pass(301);
    expect(await client.closed).toMatchObject({ code: 4401 });
  });

  test("is asked about when it expires, goes on when it was prolonged, and loses what is granted no more", async () => {
    const { alice, app, asked, clock, pass } = await serving();
    const session = (actions: string[]) => ({
      body: { user: "alice", grants: [{ channels: "user:{sub}:*", actions }], expires: clock.now() + 60_000 },
    });
    app.answers.set("session=alice c1", session(["subscribe"]));
    const client = await alice();
    await pass(50);
    app.answers.set("session=alice c1", session(["publish"]));
    await pass(15);
    expect(await client.others.nextThat(({ type }) => type === "unsubscribed")).toMatchObject({
      code: "forbidden",
    });
    expect(asked).toHaveLength(2);
    app.answers.clear();
    await pass(60);
    expect(await client.closed).toMatchObject({ code: 4401 });
  });

  test("is kept for one interval while the application cannot be reached; new ones are to come back later", async () => {
    const { alice, stop, closed, pass, http, log } = await serving();
    const client = await alice();
    stop();
    await pass(16);
    expect(await closed("session=alice")).toMatchObject({ code: 1013 });
    const answer = await fetch(`${http}/channels/user:alice:news/messages`, {
      headers: { Cookie: "session=alice", "X-Csrf-Token": "c1" },
    });
    expect(answer.status).toBe(503);
    expect(answer.headers.has("retry-after")).toBe(true);
    expect((await fetch(`${http}/health`, { headers: { Cookie: "session=alice" } })).status).toBe(200);
    expect(log.about("could not say whose session").length).toBeGreaterThan(0);
    await pass(500);
    await client.alive();
    await pass(130);
    expect(await client.closed).toMatchObject({ code: 1013 });
  });

  test("ends when its user is logged out, and an answer from before lets nobody in", async () => {
    const { alice, app, clock, closed, http } = await serving();
    const client = await alice();
    clock.advance(1);
    app.answers.clear();
    const headers = { Authorization: `Bearer ${KEY}` };
    expect((await fetch(`${http}/users/alice`, { method: "DELETE", headers })).status).toBe(204);
    expect(await client.closed).toMatchObject({ code: 4401 });
    expect(await closed("session=alice")).toMatchObject({ code: 4401 });
  });
});

describe("an application that answers nonsense", () => {
  test.each<[string, Answer]>([
    ["no JSON", { body: "<html>" }],
    ["another status", { status: 404 }],
    ["no user", { body: { name: "alice" } }],
    ["an empty user", { body: { user: "" } }],
    ["grants that are none", { body: { user: "alice", grants: [{ channels: "*" }] } }],
    ["more than 64 KiB", { body: "x".repeat(70_000) }],
  ])("lets nobody in with %s, and tells the log", async (_, answer) => {
    const { app, closed, log } = await serving();
    app.answers.set("session=alice c1", answer);
    expect(await closed("session=alice")).toMatchObject({
      code: 1013,
      reason: "the application could not be asked whose session it is",
    });
    expect(log.about("could not say whose session")).toHaveLength(1);
  });
});

describe("over HTTP", () => {
  const write = { Cookie: "session=alice", "Content-Type": "application/json", "X-Csrf-Token": "c1" };

  test.each([
    ["with the page's origin", (http: string) => ({ ...write, Origin: new URL(http).origin }), 201],
    ["of the same origin, as the browser says", () => ({ ...write, "Sec-Fetch-Site": "same-origin" }), 201],
    ["from nowhere", () => write, 403],
    ["of another site", () => ({ ...write, "Sec-Fetch-Site": "cross-site" }), 403],
    ["of another origin", () => ({ ...write, Origin: "https://evil.example" }), 403],
    ["of a form", () => ({ ...write, "Sec-Fetch-Site": "same-origin", "Content-Type": "text/plain" }), 415],
    [
      "with a wrong CSRF token",
      () => ({ ...write, "Sec-Fetch-Site": "same-origin", "X-Csrf-Token": "c2" }),
      401,
    ],
  ])("a write %s", async (_, headersOf, status) => {
    const { http } = await serving();
    const answer = await fetch(`${http}/channels/user:alice:news/messages`, {
      method: "POST",
      headers: headersOf(http),
      body: '{"data": 1}',
    });
    expect(answer.status).toBe(status);
    if (status !== 201) expect((await problemOf(answer)).remedy).not.toBe("");
  });

  const listen = { Cookie: "session=alice", "Content-Type": "application/json" };

  // The application of these tests lets nobody in without its CSRF token: 401 is its own answer.
  test.each([
    ["with the CSRF token", () => ({ ...listen, "X-Csrf-Token": "c1" }), 200],
    ["with the page's origin", (http: string) => ({ ...listen, Origin: new URL(http).origin }), 401],
    ["of the same origin, as the browser says", () => ({ ...listen, "Sec-Fetch-Site": "same-origin" }), 401],
    ["from nowhere", () => listen, 403],
    ["of another site", () => ({ ...listen, "Sec-Fetch-Site": "cross-site" }), 403],
    ["of another origin", () => ({ ...listen, Origin: "https://evil.example" }), 403],
    [
      "of a form",
      (http: string) => ({
        ...listen,
        Origin: new URL(http).origin,
        "Content-Type": "text/plain",
        "X-Csrf-Token": "c1",
      }),
      415,
    ],
  ])("a stream for a client that keeps its positions, %s", async (_, headersOf, status) => {
    const { http, asked } = await serving();
    const ending = new AbortController();
    const answer = await fetch(`${http}/sse`, {
      method: "POST",
      headers: headersOf(http),
      body: '{"channels": [{"channel": "user:alice:news"}]}',
      signal: ending.signal,
    });
    expect(answer.status).toBe(status);
    if (status === 403) expect(asked).toEqual([]);
    ending.abort();
  });

  test("a write without the CSRF token is refused before anybody is asked", async () => {
    const { http, asked } = await serving();
    const { "X-Csrf-Token": _, ...headers } = { ...write, "Sec-Fetch-Site": "same-origin" };
    const answer = await fetch(`${http}/channels/a/messages`, {
      method: "POST",
      headers,
      body: '{"data": 1}',
    });
    expect([answer.status, (await problemOf(answer)).remedy]).toEqual([
      403,
      expect.stringContaining("X-Csrf-Token"),
    ]);
    expect(asked).toEqual([]);
  });
});

test.each([
  [{ url: "http://app/session" }, /cookies is empty/],
  [{ cookies: ["session"] }, /without forwardedSession.url/],
  [{ url: "file:///etc/passwd", cookies: ["session"] }, /is no address/],
  [{ url: "http://user:secret@app/", cookies: ["session"] }, /is no address/],
  [{ url: "http://app/", cookies: ["a b"] }, /"a b" is no name of a cookie/],
  [{ url: "http://app/", cookies: ["a"], checkSeconds: 0 }, /checkSeconds is 0/],
])("%o is refused", async (forwardedSession, message) => {
  await expect(serve({ forwardedSession })).rejects.toThrow(message);
});
