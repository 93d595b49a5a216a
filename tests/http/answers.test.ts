import { FanfareError } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { Log } from "../../packages/server/src/index.js";
import { MemoryEngine } from "../../packages/server/src/index.js";
import { changedEngine } from "../../packages/server/src/testing/changed-engine.js";
import { post, problemOf, serve } from "../library/serve.js";
import { RawConnection } from "./raw.js";

/** Every problem has these members, and says by itself what to do. */
function problem(status: number, code: string) {
  return {
    type: `urn:fanfare:error:${code}`,
    title: expect.stringMatching(/\.$/),
    status,
    code,
    detail: expect.stringMatching(/./),
    remedy: expect.stringMatching(/./),
  };
}

/** As with `access: "open"`, which is logged. */
const EVERYTHING = [{ channels: "**", actions: ["*"] }] as const;

function recordingLog() {
  const lines: { level: string; fields: object; message: string }[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  const log: Log = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return { log, lines };
}

test("no cache keeps an error, neither of the application nor of what comes before it", async () => {
  const { base, port } = await serve();
  expect((await fetch(`${base}/channels/a/state`)).headers.get("cache-control")).toBe("no-store");
  expect((await fetch(`${base}/nothing`)).headers.get("cache-control")).toBe("no-store");
  const raw = new RawConnection(port);
  raw.write("GET /push/health HTTP/1.1\r\nHost: a b\r\n\r\n");
  const { status, headers } = await raw.response();
  expect([status, headers.get("cache-control")]).toEqual([400, "no-store"]);
});

describe("an address", () => {
  test("that leads nowhere is 404", async () => {
    const { base } = await serve();
    for (const path of [
      "/nothing",
      "/channels/a/b",
      "/channels//messages",
      "/channels/a/messages/1",
      "/connections/a/b",
      "/docs/x",
    ]) {
      const answer = await fetch(`${base}${path}`);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(await answer.json()).toEqual(problem(404, "not_found"));
    }
  });

  test("is quoted in printable characters", async () => {
    const { base } = await serve();
    const { detail } = await problemOf(await fetch(`${base}/%1b%5b31m%0a%c2%9b%e2%80%ae`));
    expect(detail).toMatch(/^[\x20-\x7e]+$/);
  });

  test("called with another method is 405, with those that it takes", async () => {
    const { base, messages } = await serve();
    for (const [method, url, allow] of [
      ["DELETE", messages, "GET, HEAD, POST"],
      ["PUT", messages, "GET, HEAD, POST"],
      ["PATCH", messages, "GET, HEAD, POST"],
      ["OPTIONS", messages, "GET, HEAD, POST"],
      ["POST", `${base}/health`, "GET, HEAD"],
      ["GET", `${base}/messages`, "POST"],
      ["POST", `${base}/channels`, "GET, HEAD"],
      ["DELETE", `${base}/connections`, "GET, HEAD"],
      ["POST", `${base}/connections/a`, "GET, HEAD, DELETE"],
      ["DELETE", `${base}/metrics`, "GET, HEAD"],
      ["POST", `${base}/docs`, "GET, HEAD"],
      ["POST", base, "GET, HEAD"],
    ] as const) {
      const answer = await fetch(url, { method });
      expect(answer.headers.get("allow")).toBe(allow);
      expect(await answer.json()).toEqual(problem(405, "method_not_allowed"));
    }
  });

  test("of the WebSocket, called without an upgrade, is 426", async () => {
    const { base, port } = await serve();
    expect(await (await fetch(base)).json()).toEqual(problem(426, "upgrade_required"));
    const { headers } = await new RawConnection(port).request("GET /push/");
    expect([headers.get("upgrade"), headers.get("connection")]).toEqual(["websocket", "Upgrade"]);
  });

  test("can be asked for with HEAD", async () => {
    const { port } = await serve();
    const connection = new RawConnection(port);
    for (const [path, status] of [
      ["/push/health", 200],
      ["/push/health/live", 200],
      ["/push/channels/a/messages", 200],
      ["/push/channels", 200],
      ["/push/channels?limit=0", 400],
      ["/push/connections", 200],
      ["/push/connections/nobody", 404],
      ["/push/metrics", 200],
      ["/push/openapi.json", 200],
      ["/push/docs", 200],
      ["/push/docs/viewer.js", 200],
      ["/push/messages", 405],
      ["/push/channels/a%20b/messages", 400],
      ["/push/nothing", 404],
      ["/push", 426],
    ] as const) {
      const answer = await connection.request(`HEAD ${path}`);
      expect([answer.status, answer.body]).toEqual([status, ""]);
    }
  });

  test("of the health says ready, and may not be kept by caches", async () => {
    const { base } = await serve();
    const answer = await fetch(`${base}/health`);
    expect([answer.status, await answer.json()]).toEqual([200, { status: "ready" }]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("of endless length is refused, and the server lives on", async () => {
    const { base, port } = await serve();
    expect((await new RawConnection(port).request(`GET /push/${"x".repeat(100_000)}`)).status).toBe(431);
    expect((await fetch(`${base}/channels/${"x".repeat(8000)}/messages`)).status).toBe(400);
    expect((await fetch(`${base}/health`)).status).toBe(200);
  });
});

describe("a failure inside", () => {
  const leaky = "secret: /etc/passwd";

  const broken = () =>
    changedEngine(new MemoryEngine(), {
      logs: {
        async append() {
          throw new TypeError(leaky);
        },
        async read() {
          throw leaky;
        },
        async heads() {
          throw new FanfareError("unavailable", "the engine rests", { retryAfterSeconds: 1.2 });
        },
      },
    });

  test("is 500 without a word about it, and is in the log", async () => {
    const { log, lines } = recordingLog();
    const { messages } = await serve({ engine: broken(), logger: log, anonymous: EVERYTHING });
    for (const answer of [await post(messages, { data: 1 }), await fetch(messages)]) {
      const text = await answer.text();
      expect(JSON.parse(text)).toEqual(problem(500, "internal"));
      expect(text).not.toContain("secret");
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
    }
    expect(lines.map(({ level, fields }) => [level, "err" in fields ? String(fields.err) : ""])).toEqual([
      ["error", `TypeError: ${leaky}`],
      ["error", leaky],
    ]);
  });

  test("that passes says when to come back", async () => {
    const engine = new MemoryEngine();
    engine.logs.append = async () => {
      throw new FanfareError("unavailable", "the engine rests", { retryAfterSeconds: 1.2 });
    };
    const { messages } = await serve({ engine });
    const answer = await post(messages, { data: 1 });
    expect(answer.headers.get("retry-after")).toBe("2");
    expect(await answer.json()).toEqual({ ...problem(503, "unavailable"), retryAfterSeconds: 1.2 });
  });
});

describe("a page of another origin", () => {
  test("is refused with both names, in the log, too", async () => {
    const { log, lines } = recordingLog();
    const { messages } = await serve({ logger: log, anonymous: EVERYTHING });
    const answer = await post(
      messages,
      { data: 1 },
      { Origin: "https://evil.example", "Content-Type": "application/json" },
    );
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    const { detail, remedy, ...rest } = await problemOf(answer);
    expect(rest).toMatchObject({ status: 403, code: "origin_not_allowed" });
    expect(detail).toMatch(/"https:\/\/evil\.example".*"127\.0\.0\.1:\d+"/);
    expect(remedy).toContain("allowedOrigins");
    expect(lines).toEqual([
      { level: "warn", fields: { code: rest.code, remedy }, message: `request refused: ${detail}` },
    ]);
    expect(await (await fetch(messages)).json()).toMatchObject({ head: 0 });
  });

  test.each(["null", "", "*", "https://evil.example\u009b", "http://127.0.0.1, http://evil.example"])(
    "that calls itself %j is refused, and only printable text says so",
    async (origin) => {
      const { log, lines } = recordingLog();
      const { port } = await serve({ logger: log });
      const connection = new RawConnection(port);
      connection.write(
        Buffer.from(`GET /push/health HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\n\r\n`, "latin1"),
      );
      const { status, body, headers } = await connection.response();
      expect(status).toBe(403);
      expect(headers.has("access-control-allow-origin")).toBe(false);
      expect(body + JSON.stringify(lines)).toMatch(/^[\x20-\x7e]+$/);
    },
  );

  test("that is allowed may read the answers, errors included; nobody else is named", async () => {
    const { messages } = await serve({ allowedOrigins: ["https://app.example"] });
    const headers = { Origin: "https://app.example", "Content-Type": "application/json" };
    for (const [body, status] of [
      [{ data: 1 }, 201],
      [{}, 400],
    ] as const) {
      const answer = await post(messages, body, headers);
      expect(answer.status).toBe(status);
      expect(answer.headers.get("access-control-allow-origin")).toBe("https://app.example");
      expect(answer.headers.get("vary")).toBe("Origin");
      expect(answer.headers.get("access-control-allow-credentials")).toBe("true");
    }
  });

  test("does not get from a cache what another page was answered", async () => {
    const { base } = await serve();
    for (const path of ["/client.js", "/openapi.json"]) {
      const answer = await fetch(`${base}${path}`);
      expect([path, answer.headers.get("vary")]).toEqual([path, "Origin"]);
    }
  });

  test("asks before it calls: an allowed one is told what it may, another is refused", async () => {
    const { messages } = await serve({ allowedOrigins: ["https://app.example"] });
    const ask = (origin: string) =>
      fetch(messages, {
        method: "OPTIONS",
        headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
      });
    const allowed = await ask("https://app.example");
    expect(allowed.status).toBe(204);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      "access-control-allow-origin": "https://app.example",
      "access-control-allow-methods": "GET, POST, PATCH, PUT, DELETE",
      "access-control-allow-headers":
        "Authorization, Content-Type, Fanfare-Publisher, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Csrf-Token",
      "access-control-max-age": "600",
    });
    const refused = await ask("https://evil.example");
    expect(refused.status).toBe(403);
    expect([...refused.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("the Content-Type", () => {
  const origin = { Origin: "https://app.example" };

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x-application/json"])(
    "%s is refused where a browser sends it",
    async (type) => {
      const { messages } = await serve({ allowedOrigins: [origin.Origin] });
      const answer = await post(messages, { data: 1 }, { ...origin, "Content-Type": type });
      expect(answer.status).toBe(415);
      expect(await answer.json()).toMatchObject({ detail: expect.stringContaining(type) });
    },
  );

  test.each([
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "application/ld+json",
  ])("%s is taken", async (type) => {
    const { messages } = await serve({ allowedOrigins: [origin.Origin] });
    const answer = await post(messages, { data: 1 }, { ...origin, "Content-Type": type });
    expect(answer.status).toBe(201);
  });

  test("is not looked at where no browser asks, as with curl -d", async () => {
    const { messages } = await serve();
    const type = { "Content-Type": "application/x-www-form-urlencoded" };
    expect((await post(messages, { data: 1 }, type)).status).toBe(201);
  });
});

describe("the Host, where only this machine may call", () => {
  test.each(["localhost", "127.0.0.1:3030", "[::1]:3030", "LOCALHOST"])(
    "%s is this machine",
    async (host) => {
      const { port } = await serve({ loopbackOnly: true });
      const connection = new RawConnection(port);
      connection.write(`GET /push/health HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      expect((await connection.response()).status).toBe(200);
    },
  );

  test.each(["evil.example", "localhost.evil.example", "192.168.0.1", ""])("%j is not", async (host) => {
    const { port } = await serve({ loopbackOnly: true });
    const connection = new RawConnection(port);
    connection.write(`GET /push/health HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { body } = await connection.response();
    expect(JSON.parse(body)).toEqual(problem(421, "host_not_allowed"));
  });

  test.each(["evil.example", "localhost", ""])("is refused when it is named twice: %j", async (second) => {
    const { port } = await serve({ loopbackOnly: true });
    const connection = new RawConnection(port);
    connection.write(`GET /push/health HTTP/1.1\r\nHost: localhost\r\nhOST: ${second}\r\n\r\n`);
    const { body } = await connection.response();
    expect(JSON.parse(body)).toEqual(problem(400, "invalid_request"));
  });

  test.each(["a b", "localhost/x", "evil@localhost"])("%j is no host at all", async (host) => {
    const { port } = await serve({ loopbackOnly: true });
    const connection = new RawConnection(port);
    connection.write(`GET /push/health HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const { body } = await connection.response();
    expect(JSON.parse(body)).toEqual(problem(400, "invalid_request"));
  });

  test("has to be there; elsewhere a load balancer may ask for the health without", async () => {
    for (const [loopbackOnly, status] of [
      [true, 421],
      [false, 200],
    ] as const) {
      const { port } = await serve({ loopbackOnly });
      const connection = new RawConnection(port);
      connection.write("GET /push/health HTTP/1.0\r\n\r\n");
      expect((await connection.response()).status).toBe(status);
    }
  });
});
