/** Names that no address can carry are refused as names; ids of foreign issuers have calls that carry them in the body. */
import { MAX_CHANNEL_LENGTH } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { createClient } from "../../packages/client/src/index.js";
import { signToken } from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { RawConnection } from "../http/raw.js";
import { post } from "../library/serve.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const ADMIN = "0123456789-the-admin";
const authorization = { Authorization: `Bearer ${ADMIN}` };

const serving = async () => {
  const served = await serve({
    apiKeys: [ADMIN],
    tokens: { secrets: [SECRET] },
    access: "open",
    socketio: { services: ["todos"] },
  });
  return { ...served, site: new URL(served.http).origin };
};

describe.each([".", ".."])("the name %s", (dots) => {
  test("is no channel, lock and sequence, in the process, over WebSocket and over HTTP", async () => {
    const { fanfare, url, http, port } = await serving();
    const refused = { code: "invalid_channel", message: expect.stringContaining("address") };
    await expect(fanfare.publish(dots, 1)).rejects.toMatchObject(refused);
    await expect(fanfare.states.set(dots, {})).rejects.toMatchObject(refused);
    await expect(fanfare.locks.acquire(dots)).rejects.toMatchObject(refused);
    await expect(fanfare.sequences.next(dots)).rejects.toMatchObject(refused);
    const client = await Client.connect(url);
    for (const frame of [
      { type: "subscribe", channel: dots },
      { type: "subscribe", channel: `$lock:${dots}` },
      { type: "publish", channel: dots, data: 1 },
      { type: "lock", name: dots },
      { type: "next", name: dots },
    ] as const) {
      expect(await client.ask(frame)).toMatchObject(refused);
    }
    const body = { messages: [{ channel: dots, data: 1 }] };
    expect(await (await post(`${http}/messages`, body, authorization)).json()).toMatchObject({
      code: "invalid_channel",
    });
    // As a client sends it that leaves the address as it is.
    const raw = new RawConnection(port);
    const spelt = dots.replaceAll(".", "%2e");
    const answer = await raw.request(`POST /push/channels/${spelt}/messages`, [], '{"data":1}');
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await fanfare.history("a")).head).toBe(0);
    // As a part of a name it is like any other.
    expect(await fanfare.publish(`a:${dots}`, 1)).toMatchObject({ offset: 1 });
  });

  test("is no pattern, no record, and refused by the client before it is sent", async () => {
    const { fanfare, site, url } = await serving();
    expect(() => fanfare.reload({ anonymous: [{ channels: dots, actions: ["subscribe"] }] })).toThrow(
      /pattern/,
    );
    const made = await post(`${site}/todos`, { id: dots }, authorization);
    expect(made.status).toBe(400);
    const client = createClient({ url });
    expect(() => client.subscribe(dots, () => {})).toThrow(/channel name/);
    client.close();
  });

  test("is a user that can be logged out, and a token that can be revoked", async () => {
    const { http, fanfare, url, port } = await serving();
    const login = async (id: string) =>
      (
        await signToken({
          secret: SECRET,
          user: dots,
          grants: [{ channels: "user:{sub}:*", actions: ["*"] }],
          id,
        })
      ).token;
    const client = await Client.open(url);
    await client.connect({ token: await login("one") });
    // No other user has the same segment.
    expect(await client.subscribe(`user:~${Buffer.from(dots).toString("base64url")}:a`)).toMatchObject({
      type: "subscribed",
    });
    expect((await post(`${http}/revocations`, { user: dots }, authorization)).status).toBe(204);
    expect(await client.closed).toMatchObject({ code: 4401 });
    const other = await Client.open(url);
    await other.connect({ token: await login(dots) });
    expect((await post(`${http}/revocations`, { token: dots }, authorization)).status).toBe(204);
    expect(await other.closed).toMatchObject({ code: 4401 });
    expect(await fanfare.logOut(dots)).toEqual({ pending: false });
    const raw = new RawConnection(port);
    const spelt = dots.replaceAll(".", "%2e");
    for (const path of ["users", "tokens"]) {
      const answer = await raw.request(`DELETE /push/${path}/${spelt}`, [`Authorization: Bearer ${ADMIN}`]);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      if (answer.status === 400) expect(answer.body).toContain("/revocations");
    }
  });
});

test("ids of any kind are taken in the body, and only whole ones", async () => {
  const { http } = await serving();
  const call = async (body: object) => (await post(`${http}/revocations`, body, authorization)).status;
  for (const user of ["a/b", "%2e%2e", "ü 😀", "..", "a".repeat(200)]) expect(await call({ user })).toBe(204);
  for (const user of ["", "a".repeat(201), "\ud800"]) expect(await call({ user })).toBe(400);
  expect(await call({})).toBe(400);
  expect(await call({ user: "a", more: 1 })).toBe(400);
  expect(
    (await post(`${http}/revocations`, { user: "a" }, { Authorization: "Bearer wrong-key-0123456789" }))
      .status,
  ).toBe(401);
});

test("names that merely look like it are names", async () => {
  const { fanfare } = await serving();
  for (const name of ["...", "a.", ".a", "..:a", "a:..", ".".repeat(MAX_CHANNEL_LENGTH)]) {
    expect(await fanfare.publish(name, 1)).toMatchObject({ offset: 1 });
  }
});
