import { describe, expect, test } from "vitest";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { serve as serveFanfare } from "../library/serve.js";

const MERGE_PATCH = { "Content-Type": "application/merge-patch+json" };

async function serve(options: Parameters<typeof serveFanfare>[0] = {}) {
  const served = await serveFanfare(options);
  const url = `${served.base}/channels/job:7/state`;
  const call = async (method: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined ? null : JSON.stringify(body);
    const answer = await fetch(url, { method, body: text, headers });
    return { status: answer.status, etag: answer.headers.get("etag") ?? "", body: await answer.json() };
  };
  return { ...served, url, call };
}

describe("the state over HTTP", () => {
  test("is set, patched, read and removed; each answer says where the change stands", async () => {
    const { call } = await serve();
    const none = await call("GET");
    expect(none).toMatchObject({ status: 404, body: { code: "not_found", detail: "job:7 has no state" } });

    const set = await call("PUT", { done: 0, of: 3, note: "x" });
    expect(set).toMatchObject({ status: 200, body: { channel: "job:7", offset: 1 } });
    expect(set.etag).toBe(`"${set.body.epoch}:1"`);
    const patched = await call("PATCH", { done: 1, note: null }, MERGE_PATCH);
    expect(patched).toMatchObject({ status: 200, body: { offset: 2 } });
    expect(await call("GET")).toEqual({ status: 200, etag: patched.etag, body: { done: 1, of: 3 } });

    const removed = await call("DELETE");
    expect(removed).toMatchObject({ status: 200, etag: "", body: { offset: 3 } });
    expect((await call("GET")).status).toBe(404);
  });

  test("is told in full to who expected another version, with its ETag", async () => {
    const { call, fanfare } = await serve();
    const first = await call("PUT", { seats: 2 }, { "If-None-Match": "*" });
    expect((await call("PATCH", { seats: 1 }, { "If-Match": first.etag })).status).toBe(200);
    await fanfare.publish("job:7", "a message does not move the version");
    const late = await call("PATCH", { seats: 0 }, { "If-Match": first.etag });
    expect(late).toMatchObject({ status: 412, body: { code: "version_mismatch", state: { seats: 1 } } });
    expect((await call("PATCH", { seats: 0 }, { "If-Match": late.etag })).status).toBe(200);

    expect(await call("PUT", {}, { "If-None-Match": "*" })).toMatchObject({
      status: 412,
      body: { state: { seats: 0 } },
    });
    expect((await call("DELETE", undefined, { "If-Match": "*" })).status).toBe(200);
    expect(await call("DELETE", undefined, { "If-Match": "*" })).toMatchObject({
      status: 412,
      etag: "",
      body: { state: null },
    });
  });

  test("is changed once where the key is the same", async () => {
    const { call } = await serve();
    await call("PUT", { done: 1 });
    const headers = { "Idempotency-Key": "k" };
    const once = await call("PATCH", { done: 2 }, headers);
    const again = await call("PATCH", { done: 2 }, headers);
    expect(again).toEqual({ ...once, etag: "" });
    expect(await call("PATCH", { done: 3 }, headers)).toMatchObject({
      status: 422,
      body: { code: "id_reused" },
    });
  });

  test.each<[string, string, unknown, Record<string, string>, number, string]>([
    ["a patch that is a list", "PATCH", [1], {}, 400, "invalid_value"],
    ["a state that is null", "PUT", null, {}, 400, "invalid_value"],
    ["a state with a null member", "PUT", { a: { b: null } }, {}, 400, "invalid_value"],
    ["a state that is too large", "PUT", { a: "x".repeat(70_000) }, {}, 413, "too_large"],
    ["an ETag without quotes", "PUT", {}, { "If-Match": "0123456789abcdef:1" }, 400, "invalid_request"],
    [
      "two ETags",
      "PUT",
      {},
      { "If-Match": '"0123456789abcdef:1", "0123456789abcdef:2"' },
      400,
      "invalid_request",
    ],
    ["an ETag of somebody else", "PUT", {}, { "If-Match": '"abc"' }, 400, "invalid_position"],
    ["both conditions", "PUT", {}, { "If-Match": "*", "If-None-Match": "*" }, 400, "invalid_request"],
  ])("%s is refused, and nothing is changed", async (_, method, body, headers, status, code) => {
    const { call, fanfare } = await serve();
    expect(await call(method, body, headers)).toMatchObject({
      status,
      body: { code, remedy: expect.any(String) },
    });
    expect(await fanfare.states.get("job:7")).toBeNull();
  });

  const REWRITTEN: readonly (readonly [string, (tag: string) => string])[] = [
    ["nginx's gzip", (tag) => `W/${tag}`],
    ["Apache's gzip", (tag) => tag.replace(/"$/, '-gzip"')],
    ["Apache's brotli behind nginx", (tag) => `W/${tag.replace(/"$/, '-br"')}`],
    ["Jetty's gzip", (tag) => tag.replace(/"$/, '--gzip"')],
    ["a proxy that joins two headers", (tag) => `${tag} , W/${tag}`],
  ];

  test.each(REWRITTEN)("takes an ETag that went through %s as the version that it is", async (_, rewrite) => {
    const { call } = await serve();
    const first = await call("PUT", { seats: 2 });
    const second = await call("PATCH", { seats: 1 }, { "If-Match": rewrite(first.etag) });
    expect(second).toMatchObject({ status: 200, body: { offset: 2 } });
    expect(await call("PATCH", { seats: 0 }, { "If-Match": rewrite(first.etag) })).toMatchObject({
      status: 412,
      body: { state: { seats: 1 } },
    });
  });

  test.each([...REWRITTEN, ["nothing", (tag: string) => tag]] as const)(
    "answers 304 to whoever has it already, whose ETag went through %s",
    async (_, rewrite) => {
      const { call, url } = await serve();
      const { etag } = await call("PUT", { seats: 2 });
      const read = (known: string, method = "GET") =>
        fetch(url, { method, headers: { "If-None-Match": known } });
      for (const method of ["GET", "HEAD"]) {
        const same = await read(rewrite(etag), method);
        expect([same.status, await same.text(), same.headers.get("etag")]).toEqual([304, "", etag]);
      }
      expect((await read(`"another", ${rewrite(etag)}`)).status).toBe(304);
      expect((await read("*")).status).toBe(304);
      for (const other of ['"another"', "no tag", "", '"0123456789abcdef:1"']) {
        expect((await read(other)).status).toBe(200);
      }
      await call("PATCH", { seats: 1 });
      expect(await (await read(rewrite(etag))).json()).toEqual({ seats: 1 });
    },
  );

  test("__proto__ is a member like any other", async () => {
    const { url } = await serve();
    const put = (method: string, body: string) => fetch(url, { method, body });
    await put("PUT", '{"__proto__":{"x":1}}');
    await put("PATCH", '{"__proto__":{"y":2}}');
    expect(await (await fetch(url)).text()).toBe('{"__proto__":{"x":1,"y":2}}');
  });

  test("may be read by those who may read the history, and changed only by those who may patch", async () => {
    const { call, url, fanfare } = await serve({ anonymous: LISTEN, apiKeys: ["a-key-of-16-characters"] });
    await fanfare.states.set("job:7", { done: 1 });
    expect((await call("GET")).status).toBe(200);
    for (const method of ["PUT", "PATCH", "DELETE"]) {
      const body = method === "DELETE" ? undefined : {};
      expect(await call(method, body)).toMatchObject({ status: 401, body: { code: "not_logged_in" } });
    }
    const headers = { Authorization: "Bearer a-key-of-16-characters" };
    expect((await fetch(url, { method: "PATCH", body: "{}", headers })).status).toBe(200);
  });

  test("is no part of the history", async () => {
    const { call, base } = await serve();
    await call("PUT", { done: 1 });
    const history = await (await fetch(`${base}/channels/job:7/messages`)).json();
    expect(history).toMatchObject({ head: 1, first: 1, messages: [] });
  });
});

describe("the state in process", () => {
  test("is set, patched, read and removed, with versions as positions or texts", async () => {
    const { fanfare } = await serveFanfare();
    expect(await fanfare.states.get("a")).toBeNull();
    const { epoch, offset } = await fanfare.states.set("a", { x: 1 }, { ifVersion: null });
    await fanfare.states.patch("a", { y: 2 }, { ifVersion: { epoch, offset } });
    const state = { channel: "a", epoch, offset: 2, state: { x: 1, y: 2 } };
    expect(await fanfare.states.get("a")).toEqual(state);
    await expect(fanfare.states.patch("a", {}, { ifVersion: `${epoch}:1` })).rejects.toMatchObject({
      code: "version_mismatch",
      state,
    });
    await fanfare.states.remove("a", { ifVersion: `${epoch}:2` });
    expect(await fanfare.states.get("a")).toBeNull();
  });

  test.each([null, undefined])("is not removed by setting %s", async (nothing) => {
    const { fanfare } = await serveFanfare();
    await fanfare.states.set("a", { x: 1 });
    const none = nothing as unknown as Record<string, never>;
    await expect(fanfare.states.set("a", none)).rejects.toMatchObject({
      code: nothing === null ? "invalid_value" : "invalid_request",
    });
    await expect(fanfare.states.patch("a", none)).rejects.toMatchObject({ code: "invalid_value" });
    expect(await fanfare.states.get("a")).toMatchObject({ state: { x: 1 } });
  });
});
