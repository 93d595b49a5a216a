import { describe, expect, test } from "vitest";
import { createFanfare, type FanfareOptions, MemoryEngine } from "../../packages/server/src/index.js";
import { changedEngine } from "../../packages/server/src/testing/changed-engine.js";
import { Client } from "./client.js";
import { make, serve } from "./serve.js";

describe("publish, history and position", () => {
  test("agree with each other", async () => {
    const fanfare = make();
    const before = await fanfare.position("a");
    expect(before).toEqual({ epoch: expect.stringMatching(/^[0-9a-f]{16}$/), offset: 0 });
    const published = await fanfare.publish("a", { n: 1 }, { event: "said", id: "k" });
    expect(published).toEqual({ channel: "a", epoch: before.epoch, offset: 1 });
    await fanfare.publish("a", 2);
    expect(await fanfare.position("a")).toEqual({ epoch: before.epoch, offset: 2 });
    expect(await fanfare.history("a")).toEqual({
      channel: "a",
      epoch: before.epoch,
      first: 1,
      head: 2,
      messages: [
        { channel: "a", offset: 1, time: expect.any(Number), event: "said", data: { n: 1 }, id: "k" },
        { channel: "a", offset: 2, time: expect.any(Number), event: "message", data: 2 },
      ],
    });
    const { epoch } = before;
    for (const after of [published, { epoch, offset: 1 }, `${epoch}:1`]) {
      expect((await fanfare.history("a", { after })).messages).toMatchObject([{ data: 2 }]);
    }
    expect((await fanfare.history("a", { limit: 1 })).messages).toMatchObject([{ data: { n: 1 } }]);
  });

  test("a value that is changed after it was published stays in the log as it was", async () => {
    const fanfare = make();
    const order = { lines: [{ count: 1 }] };
    const publishing = fanfare.publish("a", order);
    order.lines = [];
    await publishing;
    const { messages } = await fanfare.history("a");
    expect(messages).toMatchObject([{ data: { lines: [{ count: 1 }] } }]);
    Object.assign(messages[0]?.data as object, { lines: "changed by a reader" });
    expect((await fanfare.history("a")).messages).toMatchObject([{ data: { lines: [{ count: 1 }] } }]);
  });

  test("a key makes a repeated message stand where it stood", async () => {
    const fanfare = make();
    const first = await fanfare.publish("a", 1, { id: "k" });
    expect(await fanfare.publish("a", 1, { id: "k" })).toEqual(first);
    await expect(fanfare.publish("a", 2, { id: "k" })).rejects.toMatchObject({ code: "id_reused" });
  });

  test("what cannot be published is refused by its code", async () => {
    const fanfare = make({ limits: { messageBytes: 10 } });
    for (const [channel, data, code] of [
      ["a b", 1, "invalid_channel"],
      ["$own", 1, "invalid_channel"],
      ["a", undefined, "invalid_request"],
      ["a", new Date(), "invalid_value"],
      ["a", 1n, "invalid_value"],
      ["a", Number.NaN, "invalid_value"],
      ["a", "12345678901", "too_large"],
    ] as const) {
      await expect(fanfare.publish(channel, data)).rejects.toMatchObject({ name: "FanfareError", code });
    }
    expect(await fanfare.position("a")).toMatchObject({ offset: 0 });
  });

  test("a limit or a position that is none is refused", async () => {
    const fanfare = make();
    for (const limit of [0, -1, 1001, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(fanfare.history("a", { limit })).rejects.toMatchObject({ code: "invalid_request" });
    }
    const { epoch } = await fanfare.position("a");
    for (const after of ["", "x", `${epoch}:01`, { epoch, offset: -1 }, { epoch, offset: Number.NaN }]) {
      await expect(fanfare.history("a", { after })).rejects.toMatchObject({ code: "invalid_position" });
    }
  });
});

describe("fetch", () => {
  test("answers requests that never saw a wire", async () => {
    const fanfare = make({ path: "/live" });
    const messages = "http://app.example/live/channels/a/messages";
    const published = await fanfare.fetch(new Request(messages, { method: "POST", body: '{"data":1}' }));
    expect(published.status).toBe(201);
    expect(await (await fanfare.fetch(new Request(messages))).json()).toMatchObject({ head: 1 });
    expect((await fanfare.fetch(new Request("http://app.example/other"))).status).toBe(404);
  });

  test.each<[string, unknown, boolean, string]>([
    ["that fails", new Error("gone"), false, "the body broke off"],
    ["that fails with null", null, false, "the body broke off"],
    ["of texts", '{"data":1}', true, "something else than bytes"],
    ["of numbers", 5, true, "something else than bytes"],
  ])("answers a request whose body is a stream %s", async (_what, what, isPiece, detail) => {
    const body = new ReadableStream<unknown>({
      start(controller) {
        if (!isPiece) return controller.error(what);
        controller.enqueue(what);
        controller.close();
      },
    });
    const url = "http://app.example/push/channels/a/messages";
    const init = { method: "POST", body, duplex: "half" } as RequestInit;
    const answer = await make().fetch(new Request(url, init));
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({ code: "invalid_request", detail: expect.stringContaining(detail) }),
    ]);
  });

  test.each([null, undefined, "a text", Object.create(null)])(
    "answers 500 where an engine throws what is no error: %j",
    async (thrown) => {
      const append = () => {
        throw thrown;
      };
      const engine = changedEngine(new MemoryEngine({ allowIsolated: true }), { logs: { append } });
      const fanfare = make({ engine });
      const url = "http://app.example/push/channels/a/messages";
      const answer = await fanfare.fetch(new Request(url, { method: "POST", body: '{"data":1}' }));
      expect([answer.status, await answer.json()]).toEqual([
        500,
        expect.objectContaining({ code: "internal" }),
      ]);
    },
  );

  test("takes the host from the address, and bounds the body", async () => {
    const fanfare = make({ limits: { messageBytes: 10 } });
    const call = (body: string, origin: string) =>
      fanfare.fetch(
        new Request("http://app.example/push/channels/a/messages", {
          method: "POST",
          body,
          headers: { Origin: origin, "Content-Type": "application/json" },
        }),
      );
    expect((await call('{"data":1}', "http://app.example")).status).toBe(201);
    expect((await call('{"data":1}', "http://evil.example")).status).toBe(403);
    expect((await call("x".repeat(10_000), "http://app.example")).status).toBe(413);
  });
});

describe("options that cannot work", () => {
  test.each(["/debugger", "/xas", "/XAS/push", "/mxDevTools", "/Debugger/x"])(
    "the path %s is reserved in every Mendix app",
    (path) => {
      expect(() => createFanfare({ path })).toThrow(expect.objectContaining({ code: "reserved_path" }));
    },
  );

  test("the preset for Mendix reserves what such an app may use, in any case; a list reserves its names", () => {
    for (const name of ["rest", "odata", "ws", "ws-doc", "api-doc", "file", "link"]) {
      expect(() => createFanfare({ path: `/${name.toUpperCase()}/push`, reservedPaths: "mendix" })).toThrow(
        expect.objectContaining({
          name: "FanfareError",
          code: "reserved_path",
          remedy: expect.any(String),
        }),
      );
      expect(make({ path: `/${name}` }).path).toBe(`/${name}`);
    }
    expect(() => createFanfare({ path: "/Admin/push", reservedPaths: ["admin"] })).toThrow(
      expect.objectContaining({ code: "reserved_path" }),
    );
    expect(make({ path: "/push/xas", reservedPaths: ["admin"] }).path).toBe("/push/xas");
  });

  test.each([
    "",
    "/",
    "push",
    "/push/",
    "//push",
    "/a/../b",
    "/./a",
    "/a b",
    "/a?b",
    "/a:b",
    "/*",
    "/ä",
    "/a\n",
  ])("the path %j is none", (path) => {
    expect(() => createFanfare({ path })).toThrow(TypeError);
    expect(() => createFanfare({ path })).toThrow(JSON.stringify(path));
  });

  test.each(["app.example", "https://app.example/", "https://app.example/x", "*", "null", ""])(
    "the origin %j is none",
    (origin) => {
      expect(() => createFanfare({ allowedOrigins: [origin] })).toThrow(TypeError);
      expect(() => createFanfare({ allowedOrigins: [origin] })).toThrow(JSON.stringify(origin));
    },
  );

  test("rules that are wrong are named, with what would be right", () => {
    for (const [rule, message] of [
      [{ channels: "a", history: -1 }, "rules[0].history is -1"],
      [{ channels: "a", historySeconds: 0 }, "rules[0].historySeconds is 0"],
      [{ channels: "a:*", auto: true }, "rule a:*: auto is set"],
    ] as const) {
      expect(() => createFanfare({ rules: [rule] })).toThrow(
        expect.objectContaining({ code: "invalid_rule" }),
      );
      expect(() => createFanfare({ rules: [rule] })).toThrow(message);
    }
    expect(() => createFanfare({ rules: [{ channels: "a" }, { channels: "a" }] })).toThrow(
      "two rules are for a",
    );
    expect(() => createFanfare({ rules: [{ channels: "a:**:b" }] })).toThrow(
      expect.objectContaining({ code: "invalid_pattern" }),
    );
  });

  test("limits and modes that are wrong are named", () => {
    const wrong = (options: object) => () => createFanfare(options as FanfareOptions);
    expect(wrong({ limits: { messageBytes: "64k" } })).toThrow(`messageBytes is "64k"`);
    expect(wrong({ limits: { messageBytes: -1 } })).toThrow("messageBytes is -1");
    expect(wrong({ limits: { conections: 1 } })).toThrow('"conections" is not known');
    expect(wrong({ access: "opne" })).toThrow('access is "opne"');
  });

  test("a limit that is left undefined has its default", async () => {
    const fanfare = make({ limits: { messageBytes: undefined } as object });
    await expect(fanfare.publish("a", "x".repeat(65_536))).rejects.toMatchObject({ code: "too_large" });
  });
});

describe("reload", () => {
  test("takes other rules over for channels in use, and none that are wrong", async () => {
    const { fanfare, base } = await serve({ rules: [{ channels: "a", history: 5 }] });
    const client = await Client.connect(base);
    await client.subscribe("a");
    for (let n = 1; n <= 5; n++) {
      await fanfare.publish("a", n);
      await client.next("message");
    }
    expect(() => fanfare.reload({ access: "open", rules: [{ channels: "a", history: -1 }] })).toThrow();
    expect((await fanfare.history("a")).first).toBe(1);

    fanfare.reload({ access: "open", rules: [{ channels: "a", history: 2, events: "latest" }] });
    for (let n = 6; n <= 8; n++) void fanfare.publish("a", n);
    await fanfare.position("a");
    expect(await fanfare.history("a")).toMatchObject({ first: 7, head: 8 });
    // What came in one turn: the newest only, and what it overtook is announced.
    expect(await client.next("gap")).toMatchObject({ from: 6, to: 7, reason: "conflated" });
    client.close();
  });
});

describe("close", () => {
  test("sends clients away with 1012 and a goodbye, and ends when they are gone", async () => {
    const { fanfare, base } = await serve();
    const client = await Client.connect(base);
    await fanfare.close();
    expect(await client.next("goodbye")).toMatchObject({ retryAfterSeconds: expect.any(Number) });
    expect(await client.closed).toBe(1012);
  });

  test("is done once, whoever calls it; then nothing works any more, and says so", async () => {
    const { fanfare, server } = await serve();
    expect(fanfare.close()).toBe(fanfare.close());
    await fanfare.close();
    await expect(fanfare.publish("a", 1)).rejects.toMatchObject({ code: "unavailable" });
    await expect(fanfare.history("a")).rejects.toMatchObject({ code: "unavailable" });
    expect(() => fanfare.attach(server)).toThrow(expect.objectContaining({ code: "unavailable" }));
    const health = await fanfare.fetch(new Request("http://localhost/push/health"));
    expect([health.status, await health.json()]).toEqual([503, { status: "stopping" }]);
  });

  test("while it goes on, the health is 503 stopping and no client comes in", async () => {
    const { fanfare, base } = await serve();
    const slow = await Client.connect(base, { autoPong: false });
    slow.hold();
    const closing = fanfare.close({ withinSeconds: 5 });
    const health = await fetch(`${base}/health`);
    expect([health.status, await health.json()]).toEqual([503, { status: "stopping" }]);
    await expect(Client.connect(base)).rejects.toThrow("503");
    slow.close();
    await closing;
  });

  test("takes the Fanfare off its servers, so that another may have the path", async () => {
    const { fanfare, server, base } = await serve();
    await fanfare.close();
    expect((await fetch(`${base}/health`)).status).toBe(404);
    make().attach(server);
    expect((await fetch(`${base}/health`)).status).toBe(200);
  });

  test("leaves an engine that was given open, for whoever owns it", async () => {
    const engine = new MemoryEngine();
    const first = createFanfare({ engine });
    const { epoch } = await first.publish("a", 1);
    await first.close();
    expect(await make({ engine }).position("a")).toEqual({ epoch, offset: 1 });
    await engine.close();
  });
});
