/** What is refused is counted, whatever way it came: an operator sees it in the metrics. */
import { describe, expect, test } from "vitest";
import type { FanfareOptions } from "../../packages/server/src/index.js";
import { signToken } from "../../packages/server/src/index.js";
import { Client, refused } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { connect } from "../doors/socketio-client.js";
import { post } from "../library/serve.js";

const KEY = "0123456789-the-key";
const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const EVIL = "https://evil.example";

async function serving(options: FanfareOptions = {}) {
  const served = await serve({
    apiKeys: [{ key: KEY }],
    tokens: { secrets: [SECRET] },
    trustedProxies: ["127.0.0.1", "::1"],
    socketio: {},
    ...options,
  });
  /** The counters of refusals that are not 0, without their prefix. */
  const counted = async () => {
    const answer = await fetch(`${served.http}/metrics`, { headers: { Authorization: `Bearer ${KEY}` } });
    const lines = (await answer.text()).matchAll(/^fanfare_(\w*(?:refused|limited)_total\S*) (\d+)$/gm);
    const figures = [...lines].map(([, name = "", value]) => [name, Number(value)] as const);
    return Object.fromEntries(figures.filter(([name, value]) => value > 0 && !name.startsWith("locks_")));
  };
  const site = new URL(served.http).origin;
  return { ...served, counted, site };
}

async function tokenOf(grants: Parameters<typeof signToken>[0]["grants"]): Promise<string> {
  return (await signToken({ secret: SECRET, user: "alice", grants })).token;
}

describe("the metrics count", () => {
  test("log-ins that are refused, at every door and over HTTP", async () => {
    const { http, url, site, counted } = await serving();
    const client = await Client.open(url);
    client.say({ type: "connect", token: "guess" });
    await client.closed;
    await expect(connect(site, { auth: { token: "guess" } })).rejects.toThrow("neither an API key");
    for (const path of ["/channels/a/messages", "/sse?channel=a"]) {
      const answer = await fetch(`${http}${path}`, { headers: { Authorization: "Bearer guess" } });
      expect(answer.status).toBe(401);
    }
    expect(await counted()).toEqual({ log_ins_refused_total: 4 });
  });

  test("actions that are not granted, at every door and over HTTP", async () => {
    const { http, url, site, counted } = await serving();
    const token = await tokenOf([]);
    const client = await Client.open(url);
    await client.connect({ token });
    expect(await client.ask({ type: "subscribe", channel: "a" })).toMatchObject({ code: "forbidden" });
    const { socket } = await connect(site, { auth: { token } });
    expect(await socket.emitWithAck("subscribe", "a")).toMatchObject({ error: { name: "Forbidden" } });
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fetch(`${http}/sse?channel=a`, { headers })).status).toBe(403);
    expect((await post(`${http}/channels/a/messages`, { data: 1 }, headers)).status).toBe(403);
    expect((await post(`${http}/tokens`, { user: "bob", grants: [] }, headers)).status).toBe(403);
    expect(await counted()).toEqual({
      'actions_refused_total{action="subscribe"}': 3,
      'actions_refused_total{action="publish"}': 1,
      'actions_refused_total{action="token"}': 1,
    });
  });

  test("what is too much at once, by the rate that was exceeded", async () => {
    const { http, url, counted } = await serving({
      access: "open",
      rates: { connectsPerAddress: 1, framesPerConnection: 1, publishesPerAddress: 1, logInsPerAddress: 1 },
    });
    const flooding = { "X-Forwarded-For": "192.0.2.1" };
    const client = await Client.connect(url, { headers: flooding });
    expect((await refused(url, { headers: flooding })).status).toBe(429);
    await client.ask({ type: "unsubscribe", channel: "a" });
    expect(await client.ask({ type: "unsubscribe", channel: "a" })).toMatchObject({ code: "rate_limited" });
    const publish = () => post(`${http}/channels/a/messages`, { data: 1 }, flooding);
    expect([(await publish()).status, (await publish()).status]).toEqual([201, 429]);
    const guess = () => fetch(`${http}/keys`, { headers: { ...flooding, Authorization: "Bearer guess" } });
    expect([(await guess()).status, (await guess()).status]).toEqual([401, 429]);
    expect(await counted()).toEqual({
      'rate_limited_total{rate="connectsPerAddress"}': 1,
      'rate_limited_total{rate="framesPerConnection"}': 1,
      'rate_limited_total{rate="publishesPerAddress"}': 1,
      'rate_limited_total{rate="logInsPerAddress"}': 1,
      log_ins_refused_total: 1,
    });
  });

  test("what comes from another page, by another name, or when there is no room", async () => {
    const { http, url, site, counted } = await serving({
      access: "open",
      publicUrl: "https://push.example",
      limits: { connections: 1 },
    });
    expect((await refused(url, { origin: EVIL })).status).toBe(421);
    const headers = { Origin: EVIL, "X-Forwarded-Host": "push.example" };
    expect((await fetch(`${http}/sse?channel=a`, { headers })).status).toBe(403);
    expect((await fetch(`${site}/socket.io/?EIO=4&transport=polling`, { headers })).status).toBe(403);
    await Client.connect(url);
    expect((await refused(url, {})).status).toBe(503);
    expect(await counted()).toEqual({
      'entrance_refused_total{code="host_not_allowed"}': 1,
      'entrance_refused_total{code="origin_not_allowed"}': 2,
      'entrance_refused_total{code="too_many_connections"}': 1,
    });
  });

  test("nothing where nothing was refused, and show each of them with 0", async () => {
    const { http, counted } = await serving();
    expect(await counted()).toEqual({});
    const text = await (
      await fetch(`${http}/metrics`, { headers: { Authorization: `Bearer ${KEY}` } })
    ).text();
    for (const shown of ['{action="admin"} 0', '{rate="framesPerUser"} 0', '{code="host_not_allowed"} 0']) {
      expect(text).toContain(shown);
    }
  });
});
