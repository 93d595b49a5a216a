/** Log-outs and revocations hold at once, also where they cannot be written down, and whatever the clocks of those who make tokens say. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { describe, expect, onTestFinished, test } from "vitest";
import type { FanfareOptions, Grant } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { post } from "../library/serve.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const ADMIN = "0123456789-the-admin";
const ALL: readonly Grant[] = [{ channels: "**", actions: ["*"] }];
const bearer = (credential: string) => ({ Authorization: `Bearer ${credential}` });

async function serving(options: FanfareOptions = {}) {
  const clock = new FakeClock(Date.UTC(2026, 0, 1) + 400);
  const served = await serve({
    clock,
    access: "granted",
    apiKeys: [ADMIN],
    tokens: { secrets: [SECRET] },
    ...options,
  });
  /** As most libraries make it: whole seconds. */
  const sign = (aheadMs = 0, jti?: string) => {
    const iat = Math.floor((clock.now() + aheadMs) / 1000);
    const claims = { sub: "alice", iat, exp: iat + 600, grants: ALL, ...(jti !== undefined && { jti }) };
    return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(SECRET));
  };
  const status = async (token: string) =>
    (await fetch(`${served.http}/channels/a/messages`, { headers: bearer(token) })).status;
  return { ...served, clock, sign, status };
}

describe("a log-out", () => {
  test.each([0, 5000, 29_000])(
    "ends a token of a clock that is %i ms ahead, now and later, and a new one is good",
    async (ahead) => {
      const { fanfare, clock, sign, status, url } = await serving();
      const old = await sign(ahead, "old");
      const client = await Client.open(url);
      await client.connect({ token: old });
      clock.advance(100);
      expect(await fanfare.logOut("alice")).toEqual({ pending: false });
      expect(await client.closed).toMatchObject({ code: 4401 });
      expect(await status(old)).toBe(401);
      // Within the same second.
      clock.advance(100);
      const fresh = await sign(ahead, "fresh");
      expect(await status(fresh)).toBe(200);
      clock.advance(40_000);
      expect(await status(old)).toBe(401);
      expect(await status(fresh)).toBe(200);
    },
  );

  test("ends a token from the future that nobody has seen, also when its time has come", async () => {
    const { fanfare, clock, sign, status } = await serving();
    const unseen = await sign(20_000);
    await fanfare.logOut("alice");
    clock.advance(100);
    expect(await status(unseen)).toBe(401);
    clock.advance(25_000);
    expect(await status(unseen)).toBe(401);
    expect(await status(await sign())).toBe(200);
  });

  test("ends a token without an id that was shown in the same second, however its signature is spelt", async () => {
    const { fanfare, sign, status, clock } = await serving();
    const old = await sign();
    expect(await status(old)).toBe(200);
    await fanfare.logOut("alice");
    expect(await status(old)).toBe(401);
    // The last character of a signature has bits that say nothing.
    const spelt = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"].map(
      (last) => `${old.slice(0, -1)}${last}`,
    );
    for (const other of spelt) expect(await status(other)).toBe(401);
    clock.advance(700);
    expect(await status(await sign(0, "fresh"))).toBe(200);
  });

  test("outlives a restart for tokens that were shown to another process", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "fanfare-"));
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    const first = await serving({ dataDir });
    const old = await first.sign(10_000, "old");
    expect(await first.status(old)).toBe(200);
    await first.fanfare.logOut("alice");
    await expect
      .poll(() => readFileSync(join(dataDir, "spaces.json"), "utf8"), { interval: 5 })
      .toContain('\\"old\\"');
    const second = await serving({ dataDir });
    second.clock.advance(20_000);
    expect(await second.status(old)).toBe(401);
  });
});

test("what was revoked before the file vanished holds, is told to those who ask whether the server is ready, and is written again", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true }));
  const { fanfare, http, sign, status, clock } = await serving({ dataDir });
  const made = await post(`${http}/keys`, { name: "shop", grants: ALL }, bearer(ADMIN));
  const { key } = (await made.json()) as { key: string };
  const old = await sign(0, "old");
  clock.advance(2000);
  await fanfare.logOut("alice");
  const file = join(dataDir, "spaces.json");
  rmSync(file);
  clock.advance(500);
  expect([await status(old), await status(key)]).toEqual([401, 200]);
  const ready = async () => (await fetch(`${http}/health`)).json();
  expect(await ready()).toEqual({ status: "gone" });
  await fanfare.logOut("bob");
  expect(await ready()).toEqual({ status: "ready" });
  expect(readFileSync(file, "utf8")).toMatch(/shop[\s\S]*alice[\s\S]*bob/);
});

describe("where the file of revocations cannot be written", () => {
  async function blocked() {
    const dataDir = mkdtempSync(join(tmpdir(), "fanfare-"));
    onTestFinished(() => rmSync(dataDir, { recursive: true }));
    const served = await serving({ dataDir });
    const made = await post(`${served.http}/keys`, { name: "shop", grants: ALL }, bearer(ADMIN));
    const { key, id } = (await made.json()) as { key: string; id: string };
    // A folder where the next version of the file would be: nothing can be written, as on a full disk.
    mkdirSync(join(dataDir, "spaces.json.next"));
    const unblock = () => rmSync(join(dataDir, "spaces.json.next"), { recursive: true });
    return { ...served, dataDir, key, id, unblock };
  }

  test("no key is told that would be forgotten", async () => {
    const { http } = await blocked();
    const made = await post(`${http}/keys`, { name: "other", grants: ALL }, bearer(ADMIN));
    expect(made.status).toBe(503);
    const listed = await (await fetch(`${http}/keys`, { headers: bearer(ADMIN) })).text();
    expect(listed).toContain('"shop"');
    expect(listed).not.toContain('"other"');
  });

  test("a log-out holds at once, says that a restart would forget it, and is written as soon as that is possible", async () => {
    const { fanfare, http, sign, status, url, unblock, clock, dataDir, log } = await blocked();
    const old = await sign(0, "old");
    const client = await Client.open(url);
    await client.connect({ token: old });
    const answer = await fetch(`${http}/users/alice`, { method: "DELETE", headers: bearer(ADMIN) });
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ pending: true, remedy: expect.stringContaining("dataDir") });
    expect(await client.closed).toMatchObject({ code: 4401 });
    expect(await status(old)).toBe(401);
    expect(await fanfare.logOut("bob")).toEqual({ pending: true });
    unblock();
    clock.advance(2000);
    const file = () => readFileSync(join(dataDir, "spaces.json"), "utf8");
    await expect.poll(file, { interval: 5 }).toMatch(/alice[\s\S]*bob/);
    await expect.poll(() => log.about("is written down").length, { interval: 5 }).toBe(1);
    expect((await fetch(`${http}/users/alice`, { method: "DELETE", headers: bearer(ADMIN) })).status).toBe(
      204,
    );
  });

  test("a token and a key are revoked at once, too", async () => {
    const { http, sign, status, key, id, url, unblock, clock } = await blocked();
    const old = await sign(0, "old");
    const client = await Client.open(url);
    await client.connect({ token: key });
    const revoke = async (path: string) =>
      (await fetch(`${http}${path}`, { method: "DELETE", headers: bearer(ADMIN) })).status;
    expect(await revoke("/tokens/old")).toBe(200);
    expect(await revoke(`/keys/${id}`)).toBe(200);
    expect(await client.closed).toMatchObject({ code: 4401 });
    expect([await status(old), await status(key)]).toEqual([401, 401]);
    expect(await revoke(`/keys/${id}`)).toBe(404);
    unblock();
    clock.advance(2000);
    await expect.poll(async () => revoke("/tokens/old"), { interval: 5 }).toBe(204);
    expect(await status(key)).toBe(401);
  });
});

describe("a token", () => {
  test("holds until its exp and the skew of clocks, at log-in, over HTTP and on an open connection", async () => {
    const { url, clock, sign, status } = await serving();
    const token = await sign();
    const open = async () => {
      const client = await Client.open(url);
      await client.connect({ token });
      return client;
    };
    const early = await open();
    await clock.forward(629_000, 1000);
    expect(await status(token)).toBe(200);
    const late = await open();
    await early.alive();
    await clock.forward(3000, 500);
    expect(await early.closed).toMatchObject({ code: 4401 });
    expect(await late.closed).toMatchObject({ code: 4401 });
    expect(await status(token)).toBe(401);
    await expect(open()).rejects.toThrow("4401");
  });

  test("that is wrong is refused also where everybody may do everything, with a remedy", async () => {
    const { url, http, sign } = await serving({ access: "open", apiKeys: [], tokens: {} });
    for (const token of ["wrong", await sign()]) {
      const answer = await fetch(`${http}/channels/a/messages`, { headers: bearer(token) });
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({
        code: "not_logged_in",
        remedy: expect.stringContaining("tokens.secrets"),
      });
      const client = await Client.open(url);
      client.say({ type: "connect", token });
      expect(await client.closed).toMatchObject({ code: 4401 });
    }
  });
});
