/** Who may open a stream of events, and how he says who he is: by header, cookie, ticket, or a token in the address. */
import { describe, expect, test } from "vitest";
import { type FanfareOptions, type Grant, signToken } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { EventStream, type StreamRequest } from "../doors/event-stream.js";
import { serve } from "../doors/serving.js";
import { post } from "../library/serve.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const KEY = "0123456789-the-key";
const ORDERS: readonly Grant[] = [{ channels: "order:*", actions: ["subscribe", "history"] }];

async function serving(options: FanfareOptions = {}) {
  const clock = new FakeClock();
  const served = await serve({ clock, apiKeys: [KEY], tokens: { secrets: [SECRET] }, ...options });
  const { http } = served;
  const token = async (expiresInSeconds = 60, user = "alice") =>
    (await signToken({ secret: SECRET, user, grants: ORDERS, expiresInSeconds, now: clock.now() })).token;
  const stream = (query: string, request: StreamRequest = {}) =>
    EventStream.open(`${http}/sse?${query}`, request);
  const ticketFor = (headers: Record<string, string>, channels: readonly string[] = ["order:1"]) =>
    post(`${http}/tickets`, { channels }, { "Content-Type": "application/json", ...headers });
  const ticket = async (headers: Record<string, string>) => {
    const answer = await ticketFor(headers);
    expect(answer.status).toBe(201);
    return (await answer.json()) as { ticket: string; expires?: number };
  };
  return { ...served, clock, token, stream, ticket, ticketFor };
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

describe("a ticket", () => {
  test("opens streams of its channels, again and again, as who asked for it", async () => {
    const { ticket, token, stream, fanfare, clock } = await serving();
    const { ticket: name, expires } = await ticket(bearer(await token()));
    expect(expires).toBe(clock.now() + 60_000);
    const first = await stream(`ticket=${name}`);
    expect(await first.next("connected")).toMatchObject({ user: "alice", expires });
    expect(await first.next("subscribed")).toMatchObject({ channel: "order:1" });
    first.vanish();
    await fanfare.publish("order:1", "missed");
    const again = await stream(`ticket=${name}`, { headers: { "Last-Event-ID": first.lastEventId } });
    expect(await again.take(1)).toMatchObject([{ data: "missed" }]);
  });

  test("is no ticket for other channels", async () => {
    const { ticket, token, stream, ticketFor } = await serving();
    const { ticket: name } = await ticket(bearer(await token()));
    await expect(stream(`ticket=${name}&channel=order:2`)).rejects.toThrow(/invalid_request/);
    expect((await ticketFor(bearer(await token()), ["order:1", "secret"])).status).toBe(403);
    expect((await ticketFor({})).status).toBe(401);
    expect((await ticketFor(bearer(await token()), [])).status).toBe(400);
  });

  test("ends with its token", async () => {
    const { ticket, token, stream, clock } = await serving();
    const { ticket: name } = await ticket(bearer(await token(60)));
    await clock.forward(100_000, 1000);
    await expect(stream(`ticket=${name}`)).rejects.toThrow(/not_logged_in: the token expired/);
  });

  test("ends with its user and its key, and their streams at once", async () => {
    const { ticket, token, stream, fanfare } = await serving();
    const { ticket: name } = await ticket(bearer(await token()));
    const { ticket: ofKey } = await ticket(bearer(KEY));
    const [open, openOfKey] = [await stream(`ticket=${name}`), await stream(`ticket=${ofKey}`)];
    await fanfare.logOut("alice");
    expect(await open.next("closed")).toMatchObject({ code: 4401 });
    await open.ended;
    await expect(stream(`ticket=${name}`)).rejects.toThrow(/not_logged_in/);
    fanfare.reload({ tokens: { secrets: [SECRET] } });
    expect(await openOfKey.next("closed")).toMatchObject({ code: 4401 });
    await expect(stream(`ticket=${ofKey}`)).rejects.toThrow(/not_logged_in/);
  });

  test("of one user is pushed out by his own only", async () => {
    const { ticket, token, stream } = await serving();
    const { ticket: ofBob } = await ticket(bearer(await token(60, "bob")));
    const { ticket: first } = await ticket(bearer(await token()));
    for (let count = 0; count < 100; count++) await ticket(bearer(await token()));
    await expect(stream(`ticket=${first}`)).rejects.toThrow(/the ticket is not known/);
    (await stream(`ticket=${ofBob}`)).vanish();
  });
});

describe("a token in the address", () => {
  test("opens a stream while it is good for 5 minutes at most", async () => {
    const { token, stream } = await serving();
    const opened = await stream(`channel=order:1&access_token=${await token(300)}`);
    expect(await opened.next("connected")).toMatchObject({ user: "alice" });
    await expect(stream(`channel=order:1&access_token=${await token(301)}`)).rejects.toThrow(
      /not_logged_in: the token in the address is good for more than 5 minutes/,
    );
    await expect(stream(`channel=order:1&access_token=${KEY}`)).rejects.toThrow(/more than 5 minutes/);
  });

  test("never stands in the log, whatever goes wrong", async () => {
    const { token, stream, log, http } = await serving();
    const text = await token(400);
    await expect(stream(`channel=order:1&access_token=${text}`)).rejects.toThrow();
    await expect(stream(`channel=order:1&access_token=${text}x`)).rejects.toThrow();
    await fetch(`${http}/nothing?access_token=${text}`);
    await fetch(`${http}/sse?access_token=${text}`, { method: "PUT" });
    expect(log.lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(log.lines)).not.toContain(text.slice(0, 20));
  });
});

describe("a live stream", () => {
  test("ends when its token has expired and the skew of clocks is over", async () => {
    const { token, stream, clock } = await serving();
    const opened = await stream("channel=order:1", { headers: bearer(await token(60)) });
    await clock.forward(88_000, 1000);
    expect(opened.heard.some(({ name }) => name === "fanfare.closed")).toBe(false);
    await clock.forward(5000, 1000);
    expect(await opened.next("closed")).toMatchObject({
      code: 4401,
      reason: expect.stringContaining("expired"),
    });
  });

  test("is told of a channel that is not granted any more, and goes on with the others", async () => {
    const access = (pattern: string): FanfareOptions => ({
      anonymous: [{ channels: pattern, actions: ["subscribe"] }],
    });
    const { stream, fanfare } = await serving(access("*"));
    const opened = await stream("channel=a&channel=b");
    await opened.next("subscribed");
    await opened.next("subscribed");
    fanfare.reload({ tokens: { secrets: [SECRET] }, ...access("b") });
    expect(await opened.next("unsubscribed")).toEqual({ channel: "a", code: "forbidden" });
    await fanfare.publish("a", 1);
    await fanfare.publish("b", 2);
    expect(await opened.take(1)).toMatchObject([{ channel: "b", data: 2 }]);
  });
});

describe("where users are known by cookie", () => {
  const users: FanfareOptions = {
    access: "granted",
    apiKeys: [],
    tokens: {},
    authorize: ({ headers }) => {
      const [, user] = /\bsession=(\w+)/.exec(headers.get("cookie") ?? "") ?? [];
      return user === undefined ? null : { user, grants: ORDERS };
    },
  };
  const cookie = { Cookie: "session=alice" };

  test("a stream has to show that a page of ours opens it", async () => {
    const { stream, http } = await serving(users);
    const refused = stream("channel=order:1", { headers: cookie });
    await expect(refused).rejects.toThrow(/forbidden/);
    await expect(refused).rejects.toMatchObject({ problem: { remedy: expect.stringContaining("/tickets") } });
    const { origin } = new URL(http);
    for (const evidence of [
      { "Sec-Fetch-Site": "same-origin" },
      { Origin: origin },
      { "X-Csrf-Token": "x" },
    ]) {
      const opened = await stream("channel=order:1", { headers: { ...cookie, ...evidence } });
      expect(await opened.next("connected")).toMatchObject({ user: "alice" });
      opened.vanish();
    }
    await expect(
      stream("channel=order:1", { headers: { ...cookie, "Sec-Fetch-Site": "cross-site" } }),
    ).rejects.toThrow(/forbidden/);
  });

  test("a ticket is taken as any other call that changes something, and is good without cookies", async () => {
    const { ticket, ticketFor, stream, http } = await serving(users);
    expect((await ticketFor(cookie)).status).toBe(403);
    const { origin } = new URL(http);
    const { ticket: name } = await ticket({ ...cookie, Origin: origin, "X-Csrf-Token": "x" });
    expect(await (await stream(`ticket=${name}`)).next("connected")).toMatchObject({ user: "alice" });
  });

  test("a ticket ends with the session", async () => {
    let loggedIn = true;
    const { ticket, stream, http } = await serving({
      ...users,
      authorize: () => (loggedIn ? { user: "alice", grants: ORDERS } : null),
    });
    const { ticket: name } = await ticket({ ...cookie, Origin: new URL(http).origin, "X-Csrf-Token": "x" });
    (await stream(`ticket=${name}`)).vanish();
    loggedIn = false;
    await expect(stream(`ticket=${name}`)).rejects.toThrow(/not_logged_in: the ticket is over/);
  });
});
