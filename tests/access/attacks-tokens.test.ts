/** Tokens that somebody made up, or that are not good any more: tried on every way in. */
import { UnsecuredJWT } from "jose";
import { describe, expect, test } from "vitest";
import { type Grant, signToken } from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { EventStream, StreamRefused } from "../doors/event-stream.js";
import { serve } from "../doors/serving.js";
import { connect } from "../doors/socketio-client.js";
import { post } from "../library/serve.js";
import { SECRET, type Served } from "./tables.js";

const AUDIENCE = "push.example";
const ALL: readonly Grant[] = [{ channels: "**", actions: ["*", "admin"] }];
const DAY_MS = 86_400_000;

type Made = Partial<Parameters<typeof signToken>[0]>;

async function signed(made: Made = {}): Promise<string> {
  const token = { secret: SECRET, user: "alice", grants: ALL, audience: AUDIENCE, expiresInSeconds: 200 };
  return (await signToken({ ...token, ...made })).token;
}

/** With another payload, under the signature of the first. */
async function changed(): Promise<string> {
  const [head, , signature] = (await signed({ grants: [] })).split(".");
  const [, payload] = (await signed()).split(".");
  return [head, payload, signature].join(".");
}

function unsigned(): string {
  const claims = { sub: "alice", aud: AUDIENCE, grants: ALL };
  return new UnsecuredJWT({ ...claims, exp: Math.floor(Date.now() / 1000) + 200 }).encode();
}

const TOKENS: readonly (readonly [name: string, make: () => string | Promise<string>])[] = [
  ["forged, with another secret", () => signed({ secret: SECRET.replace("the", "oth") })],
  ["changed", changed],
  ["expired", () => signed({ now: Date.now() - DAY_MS })],
  ["not valid yet", () => signed({ now: Date.now() + DAY_MS })],
  ["for another audience", () => signed({ audience: "shop.example" })],
  ["without a signature (alg: none)", unsigned],
  ["cut off", async () => (await signed()).slice(0, -10)],
  ["too long", async () => `${await signed()}${"x".repeat(9000)}`],
];

type LetsIn = (served: Served & { readonly site: string }, token: string) => Promise<boolean>;

async function streams(url: string, headers: Record<string, string> = {}): Promise<boolean> {
  try {
    (await EventStream.open(url, { headers })).vanish();
    return true;
  } catch (error) {
    if (error instanceof StreamRefused && error.status === 401) return false;
    throw error;
  }
}

/** Was it let in, which this frame tells? Else it has to be closed as not logged in. */
async function accepted(client: Client, frame: string): Promise<boolean> {
  const told = client.others.nextThat(({ type }) => type === frame);
  const first = await Promise.race([client.closed, told]);
  told.catch(() => {});
  if (!("code" in first)) return true;
  expect(first.code).toBe(4401);
  return false;
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** Whether it lets in whoever shows the token. */
const WAYS: readonly (readonly [name: string, lets: LetsIn])[] = [
  [
    "a WebSocket",
    async ({ url }, token) => {
      const client = await Client.open(url);
      client.say({ type: "connect", token });
      return accepted(client, "connected");
    },
  ],
  [
    "the renewal of a WebSocket's token",
    async ({ url }, token) => {
      const client = await Client.open(url);
      await client.connect({ token: await signed() });
      client.say({ type: "token", token });
      return accepted(client, "token");
    },
  ],
  [
    "HTTP",
    async ({ http }, token) => (await fetch(`${http}/keys`, { headers: bearer(token) })).status === 200,
  ],
  ["a stream of events", ({ http }, token) => streams(`${http}/sse?channel=a`, bearer(token))],
  ["a stream's address", ({ http }, token) => streams(`${http}/sse?channel=a&access_token=${token}`)],
  [
    "a ticket",
    async ({ http }, token) =>
      (await post(`${http}/tickets`, { channels: ["a"] }, bearer(token))).status === 201,
  ],
  [
    "an explanation",
    async ({ http }, token) => {
      const answer = await post(`${http}/access/explain`, { action: "admin", token });
      return ((await answer.json()) as { allowed: boolean }).allowed;
    },
  ],
  [
    "Socket.IO",
    ({ site }, token) =>
      connect(site, { auth: { token } }).then(
        () => true,
        () => false,
      ),
  ],
  [
    "the header of Socket.IO",
    ({ site }, token) =>
      connect(site, { extraHeaders: bearer(token) }).then(
        () => true,
        () => false,
      ),
  ],
];

async function serving() {
  const tokens = { secrets: [SECRET], audiences: [AUDIENCE] };
  const served = await serve({ tokens, socketio: {} });
  return { ...served, site: new URL(served.http).origin };
}

describe.each(TOKENS)("a token that is %s", (_, make) => {
  test.each(WAYS)("is refused by %s", async (_way, letsIn) => {
    expect(await letsIn(await serving(), await make())).toBe(false);
  });
});

test.each(WAYS)("a token as it should be is accepted by %s", async (_, letsIn) => {
  expect(await letsIn(await serving(), await signed())).toBe(true);
});
