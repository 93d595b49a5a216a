import { describe, expect, test } from "vitest";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { problemOf, serve } from "../library/serve.js";

const KEY = "0123456789abcdef";
const GUARDED = [
  ["POST", "/messages"],
  ["GET", "/channels"],
  ["GET", "/connections"],
  ["GET", "/connections/x"],
  ["DELETE", "/connections/x"],
  ["GET", "/metrics"],
] as const;
const PUBLIC = ["/health", "/health/live", "/openapi.json", "/docs", "/docs/viewer.js", "/docs/viewer.css"];

function call(base: string, method: string, path: string, headers: Record<string, string> = {}) {
  const body = method === "POST" ? { body: '{"messages":[{"channel":"a","data":1}]}' } : {};
  return fetch(`${base}${path}`, { method, headers, ...body });
}

describe.each(GUARDED)("%s %s", (method, path) => {
  const found = path.endsWith("/x") ? 404 : 200;

  test("is for everybody where access is open", async () => {
    const { base } = await serve({ access: "open" });
    expect((await call(base, method, path)).status).toBe(found);
  });

  test("is for nobody where access is to listen only and there are no keys", async () => {
    const { base } = await serve({ anonymous: LISTEN });
    expect(await problemOf(await call(base, method, path))).toMatchObject({ status: 403, code: "forbidden" });
  });

  test("wants a key where there are keys, and takes a right one only", async () => {
    const { base } = await serve({ anonymous: LISTEN, apiKeys: [KEY] });
    const none = await call(base, method, path);
    expect(none.headers.get("www-authenticate")).toBe("Bearer");
    expect(await problemOf(none)).toMatchObject({ status: 401, code: "not_logged_in" });
    const wrong = await call(base, method, path, { Authorization: `Bearer ${KEY}x` });
    expect(await problemOf(wrong)).toMatchObject({ status: 401, code: "not_logged_in" });
    expect((await call(base, method, path, { Authorization: `Bearer ${KEY}` })).status).toBe(found);
  });
});

test.each(PUBLIC)("GET %s is for everybody", async (path) => {
  const { base } = await serve({ anonymous: LISTEN, apiKeys: [KEY] });
  expect((await fetch(`${base}${path}`)).status).toBe(200);
});

test("a page that may call may do so on all addresses", async () => {
  const origin = "https://app.example";
  const { base } = await serve({ allowedOrigins: [origin] });
  for (const [method, path] of [...GUARDED, ...PUBLIC.map((path) => ["GET", path] as const)]) {
    const asked = await fetch(`${base}${path}`, {
      method: "OPTIONS",
      headers: { Origin: origin, "Access-Control-Request-Method": method },
    });
    expect(asked.headers.get("access-control-allow-methods")).toContain(method);
    const type = { "Content-Type": "application/json" };
    const answer = await call(base, method, path, { Origin: origin, ...(method === "POST" && type) });
    expect(answer.headers.get("access-control-allow-origin"), path).toBe(origin);
  }
});
