import { describe, expect, test } from "vitest";
import { serve as serveFanfare } from "../library/serve.js";

async function serve(options: Parameters<typeof serveFanfare>[0] = {}) {
  const served = await serveFanfare(options);
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined ? null : JSON.stringify(body);
    const answer = await fetch(`${served.base}${path}`, { method, body: text, headers });
    const retryAfterSeconds = answer.headers.get("retry-after");
    return {
      status: answer.status,
      retryAfterSeconds,
      body: answer.status === 204 ? null : await answer.json(),
    };
  };
  return { ...served, call };
}

const LOCK = "/locks/order:42";
const [ONE, TWO] = ["0123456789-key-one", "0123456789-key-two"];
const by = (key = "") => ({ Authorization: `Bearer ${key}` });

describe("a lock over HTTP", () => {
  test("is taken, looked at, renewed and let go of with its token", async () => {
    const { call } = await serve();
    expect(await call("GET", LOCK)).toMatchObject({ status: 200, body: { name: "order:42", held: false } });
    const taken = await call("PUT", LOCK, { leaseSeconds: 60, info: { form: "invoice" } });
    expect(taken).toMatchObject({ status: 200, body: { name: "order:42", durable: false } });
    const { token, expires, time } = taken.body;
    expect(expires - time).toBeLessThanOrEqual(60_000);
    expect((await call("GET", LOCK)).body).toEqual({
      name: "order:42",
      held: true,
      token,
      holder: {},
      since: expires - 60_000,
      expires,
      leaseSeconds: 60,
      info: { form: "invoice" },
      time: expect.any(Number),
    });
    expect(await call("PUT", LOCK, { token, leaseSeconds: 90 })).toMatchObject({
      status: 200,
      body: { token },
    });
    expect(await call("DELETE", `${LOCK}?token=${token}`)).toMatchObject({ status: 204 });
    expect((await call("GET", LOCK)).body).toMatchObject({ held: false, token, freed: expect.any(Number) });
    expect((await call("PUT", LOCK)).body.token).toBeGreaterThan(token);
  });

  test("that somebody else holds is refused with who it is, and for how long", async () => {
    const { call } = await serve({
      apiKeys: [
        { key: ONE ?? "", name: "one" },
        { key: TWO ?? "", name: "two" },
      ],
    });
    const { body } = await call("PUT", LOCK, {}, by(ONE));
    expect(await call("PUT", LOCK, {}, by(TWO))).toMatchObject({
      status: 409,
      retryAfterSeconds: "30",
      body: {
        code: "locked",
        lock: { holder: { key: "one" }, expires: body.expires },
        time: expect.any(Number),
      },
    });
    const lost = { status: 409, body: { code: "lock_lost", lock: { holder: { key: "one" } } } };
    expect(await call("PUT", LOCK, { token: body.token }, by(TWO))).toMatchObject(lost);
    expect(await call("DELETE", `${LOCK}?token=${body.token}`, undefined, by(TWO))).toMatchObject(lost);
    expect(await call("DELETE", `${LOCK}?token=1`, undefined, by(ONE))).toMatchObject(lost);
    expect(await call("PUT", "/locks/b", { token: 1 }, by(ONE))).toMatchObject({
      status: 409,
      body: { code: "lock_lost", lock: null },
    });
  });

  test.each<[string, string, string, unknown, number, string]>([
    ["a name that is none", "PUT", "/locks/a%20b", {}, 400, "invalid_channel"],
    ["a name that is the server's own", "PUT", "/locks/$lock:a", {}, 400, "invalid_channel"],
    ["a lease that is too short", "PUT", LOCK, { leaseSeconds: 0.01 }, 400, "invalid_request"],
    ["words that are too long", "PUT", LOCK, { info: "x".repeat(2000) }, 413, "too_large"],
    ["a body that is too long", "PUT", LOCK, { info: "x".repeat(20_000) }, 413, "too_large"],
    ["no token", "DELETE", LOCK, undefined, 400, "invalid_request"],
    ["a token that is none", "DELETE", `${LOCK}?token=x`, undefined, 400, "invalid_request"],
  ])("%s is refused", async (_, method, path, body, status, code) => {
    const { call } = await serve();
    expect(await call(method, path, body)).toMatchObject({
      status,
      body: { code, remedy: expect.any(String) },
    });
  });
});

describe("a sequence over HTTP", () => {
  test("gives numbers, and says which was the last", async () => {
    const { call } = await serve();
    expect((await call("GET", "/sequences/invoice")).body).toEqual({ name: "invoice", last: null });
    const first = await call("POST", "/sequences/invoice/next");
    expect(first).toMatchObject({
      status: 200,
      body: { name: "invoice", first: 1, last: 1, durable: false },
    });
    expect((await call("POST", "/sequences/invoice/next", { count: 10 })).body).toMatchObject({
      first: 2,
      last: 11,
    });
    expect((await call("GET", "/sequences/invoice")).body).toEqual({ name: "invoice", last: 11 });
    expect((await call("POST", "/sequences/b/next", { start: 500 })).body).toMatchObject({ first: 500 });
  });

  test("gives the same for the same key", async () => {
    const { call } = await serve();
    const key = { "Idempotency-Key": "k" };
    const once = await call("POST", "/sequences/invoice/next", { count: 2 }, key);
    await call("POST", "/sequences/invoice/next");
    expect(await call("POST", "/sequences/invoice/next", { count: 2 }, key)).toEqual(once);
    expect(await call("POST", "/sequences/invoice/next", {}, key)).toMatchObject({
      status: 422,
      body: { code: "id_reused" },
    });
  });

  test.each<[string, unknown, number, string]>([
    ["no numbers at all", { count: 0 }, 400, "invalid_request"],
    ["too many", { count: 1001 }, 400, "invalid_request"],
    ["a start beyond all numbers", { start: 2 ** 53 }, 400, "invalid_request"],
    ["more than there are", { start: 2 ** 53 - 1, count: 2 }, 409, "sequence_exhausted"],
  ])("refuses %s", async (_, body, status, code) => {
    const { call } = await serve();
    expect(await call("POST", "/sequences/invoice/next", body)).toMatchObject({ status, body: { code } });
  });

  test("stands in the list of channels, which can be read on from it", async () => {
    const { call, fanfare } = await serve();
    await fanfare.sequences.next("invoice");
    await fanfare.locks.acquire("order:42");
    await fanfare.publish("a", 1);
    const first = await call("GET", "/channels?limit=1");
    expect(first.body).toMatchObject({ channels: [{ channel: "$lock:order:42" }], next: "$lock:order:42" });
    const rest = await call("GET", `/channels?after=${encodeURIComponent(first.body.next)}`);
    expect(rest.body).toMatchObject({
      channels: [{ channel: "$sequence:invoice" }, { channel: "a" }],
      next: null,
    });
  });
});

describe("in process", () => {
  test("a lock is taken, renewed, and let go of at the end of the block", async () => {
    const { fanfare } = await serve();
    expect(await fanfare.locks.get("report:7")).toBeNull();
    {
      await using lock = await fanfare.locks.acquire("report:7", { leaseSeconds: 1, info: "nightly" });
      await expect(fanfare.locks.acquire("report:7")).rejects.toMatchObject({
        code: "locked",
        lock: { info: "nightly" },
      });
      const before = lock.expires;
      await lock.renew({ leaseSeconds: 60 });
      expect(lock.expires).toBeGreaterThan(before + 50_000);
      expect(await fanfare.locks.get("report:7")).toMatchObject({ token: lock.token, expires: lock.expires });
    }
    expect(await fanfare.locks.get("report:7")).toMatchObject({ freed: expect.any(Number) });
  });

  test("a lock is broken whoever holds it, who learns of it when renewing", async () => {
    const { fanfare } = await serve();
    const lock = await fanfare.locks.acquire("a");
    await expect(fanfare.locks.break("a", lock.token + 1)).rejects.toMatchObject({ code: "lock_lost" });
    await fanfare.locks.break("a", lock.token);
    await expect(lock.renew()).rejects.toMatchObject({ code: "lock_lost" });
    await expect(lock.release()).rejects.toMatchObject({ code: "lock_lost" });
  });

  test("numbers are taken, one or several", async () => {
    const { fanfare } = await serve();
    expect(await fanfare.sequences.next("invoice")).toEqual({ first: 1, last: 1, durable: false });
    expect(await fanfare.sequences.next("invoice", { count: 3, id: "k" })).toMatchObject({
      first: 2,
      last: 4,
    });
    expect(await fanfare.sequences.get("invoice")).toBe(4);
    await expect(fanfare.sequences.next("a b")).rejects.toMatchObject({ code: "invalid_channel" });
  });
});
