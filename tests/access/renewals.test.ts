/** New tokens on open connections: what is refused counts as at the entrance, and the next question is asked with the new one. */
import { expect, test } from "vitest";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { ask, connect } from "../doors/socketio-client.js";
import { soon } from "../doors/waiting.js";

/** Clients of this machine itself are not counted. */
const FROM = { "X-Forwarded-For": "203.0.113.7" };
const trustedProxies = ["127.0.0.1", "::1"];
const SECRETS = ["the-secret-of-the-tests-0123456789-0123"];

/** Shows another token on an open connection. Resolves when it was answered, or the connection was closed. */
const WAYS: Record<
  string,
  (at: { url: string; site: string }, token: string, next: string) => Promise<() => Promise<unknown>>
> = {
  async websocket({ url }, token, next) {
    const client = await Client.open(url, { headers: FROM });
    await client.connect({ token });
    client.say({ type: "token", token: next });
    await Promise.race([
      client.closed,
      client.others.nextThat(({ type }) => type === "token").catch(() => null),
    ]);
    return () => client.alive();
  },
  async socketio({ site }, token, next) {
    const client = await connect(site, { auth: { token }, extraHeaders: FROM });
    await ask(client, "token", next);
    return () => ask(client, "unsubscribe", { channel: "a" });
  },
};

test.each(Object.keys(WAYS))(
  "tokens that are refused on an open connection count as refused log-ins: %s",
  async (way) => {
    const { fanfare, url, port } = await serve({
      access: "granted",
      trustedProxies,
      tokens: { secrets: SECRETS },
      socketio: {},
      rates: { logInsPerAddress: 3 },
    });
    const { token } = await fanfare.token({ user: "alice", grants: [] });
    const at = { url, site: `http://localhost:${port}` };
    for (let tries = 0; tries < 3; tries++) await WAYS[way]?.(at, token, "no.token.atAll");
    const client = await Client.open(url, { headers: FROM });
    client.say({ type: "connect", token });
    expect(await soon(client.closed, "the refusal", 5000)).toMatchObject({ code: 4429 });
  },
);

test.each(Object.keys(WAYS))("who asked a hook is asked again with the new token: %s", async (way) => {
  const clock = new FakeClock();
  const shown: unknown[] = [];
  const { url, port } = await serve({
    clock,
    access: "granted",
    trustedProxies,
    socketio: {},
    authorize: ({ token }) => {
      shown.push(token);
      return token === undefined ? null : { user: "alice", grants: [], expires: clock.now() + 60_000 };
    },
  });
  const alive = await WAYS[way]?.({ url, site: `http://localhost:${port}` }, "one", "two");
  expect(shown).toEqual(["one", "two"]);
  for (let second = 0; second <= 60; second += 10) {
    await clock.forward(10_000, 1000);
    await alive?.();
  }
  expect(shown.slice(2)).toContain("two");
  expect(shown.slice(1)).not.toContain("one");
});
