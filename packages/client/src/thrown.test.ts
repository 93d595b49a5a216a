/** Code of the page that throws what is no error, or what no text can be made of; and frames with fields of another type. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { live, setUp } from "./testing/a-client.js";
import { settled } from "./testing/scripted-server.js";

const unhandled = vi.fn();
beforeEach(() => {
  vi.stubGlobal("reportError", () => {});
  process.on("unhandledRejection", unhandled.mockClear());
});
afterEach(() => {
  vi.unstubAllGlobals();
  process.off("unhandledRejection", unhandled);
});

class Untold extends Error {
  override get message(): string {
    throw new Error("no message");
  }
}
const ODD: readonly [string, unknown][] = [
  ["null", null],
  ["undefined", undefined],
  ["an object without a prototype", Object.create(null)],
  [
    "an object whose toString throws",
    {
      toString() {
        throw new Error("no text");
      },
    },
  ],
  ["an error whose message throws", new Untold()],
  ["an error without a text", Object.assign(new Error(), { message: Object.create(null) })],
  ["a symbol", Symbol("odd")],
];

describe.each(ODD)("%s", (_name, thrown) => {
  const throws = () => {
    throw thrown;
  };

  test("from getToken, at the start and at a renewal, is told as an error, and the client tries again", async () => {
    const onError = vi.fn();
    const tokens = [throws, () => "first", throws, () => "second"];
    const { client, server, clock, nextTry } = setUp({ getToken: () => tokens.shift()?.() ?? "later" });
    client.on("error", onError);
    client.connect();
    server.socket.open();
    await settled();
    expect(client.connection).toMatchObject({ status: "reconnecting" });
    nextTry();
    server.socket.open();
    await settled();
    const connected = { type: "connected", connection: "c", session: "s", resumed: false };
    server.socket.say({ ...connected, time: 0, expires: 10_000 });
    clock.advance(7500);
    await settled();
    expect(client.connection.status).toBe("connected");
    clock.advance(2000);
    await settled();
    expect(server.socket.sent.at(-1)).toEqual({ type: "token", token: "second" });
    for (const [error] of onError.mock.calls) expect(typeof error.message).toBe("string");
    expect(onError).toHaveBeenCalledTimes(2);
    expect(unhandled).not.toHaveBeenCalled();
  });

  test("from csrf makes it try again", async () => {
    const { client, server } = setUp({ csrf: throws });
    client.on("error", () => {});
    client.connect();
    server.socket.open();
    await settled();
    expect(client.connection).toMatchObject({ status: "reconnecting" });
    expect(unhandled).not.toHaveBeenCalled();
  });

  test("from csrf, before a request of its own, is told as an error, and the request goes without", async () => {
    const fetch = vi.fn(() => new Promise<Response>(() => {}));
    const { client, server, nextTry } = setUp({ csrf: throws, sse: true, fetch });
    const onError = vi.fn();
    client.on("error", onError);
    client.connect();
    for (let miss = 0; miss < 2; miss++) {
      server.socket.lose();
      nextTry();
    }
    await settled();
    expect(client.connection.status).not.toBe("closed");
    expect(onError).toHaveBeenCalled();
    expect(unhandled).not.toHaveBeenCalled();
  });

  test("from a snapshot is told as an error, and the snapshot is loaded again", async () => {
    const { client, server, clock } = setUp();
    const onError = vi.fn();
    const snapshot = vi.fn().mockImplementationOnce(throws);
    client.subscribe("news", () => {}, { snapshot, onError });
    server.welcome();
    server.subscribed("news", { offset: 5 });
    await settled();
    expect(typeof onError.mock.calls[0]?.[0].message).toBe("string");
    clock.advance(1000);
    await settled();
    expect(snapshot).toHaveBeenCalledTimes(2);
  });

  test("from handlers ends nothing", async () => {
    const heard: number[] = [];
    const { client, server } = setUp();
    client.on("connection", throws);
    client.on("error", throws);
    const handlers = { onSubscribed: throws, onGap: throws, onState: throws, onPresence: throws };
    client.subscribe("news", throws, { ...handlers, onError: throws });
    client.subscribe("news", async () => throws());
    client.subscribe("news", ({ offset }) => heard.push(offset));
    server.welcome();
    const presence = { count: 1, members: [{ id: "session:c1" }] };
    server.subscribed("news", { offset: 5, state: { a: 1 }, stateOffset: 5, presence });
    server.message("news", 6);
    await settled();
    expect([client.connection.status, heard]).toEqual(["connected", [6]]);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("a frame with fields of another type", () => {
  const values = [undefined, null, 0, -1, 1e308, "", "news", [], [null], [5], {}, { id: 1 }, true];
  const fields =
    "id channel epoch offset head from to recovered reason state stateOffset presence members count joined left value patch data code message remedy retryAfterSeconds lock connection resumed user expires time session";
  const types =
    "connected subscribed message gap state presence unsubscribed ok error token grants goodbye pong other";

  test("is never thrown at whoever calls the client: it goes on, or comes back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            type: fc.constantFrom(...types.split(" ")),
            fields: fc.dictionary(fc.constantFrom(...fields.split(" ")), fc.constantFrom(...values)),
          }),
          { minLength: 1, maxLength: 5 },
        ),
        async (frames) => {
          const { client, server } = await live();
          client.on("error", () => {});
          client.on("gap", () => {});
          const waiting = [client.publish("news", 1), client.lock("l"), client.next("n")];
          const ends = Promise.allSettled(waiting);
          await settled();
          const { socket } = server;
          for (const { type, fields } of frames) {
            if (client.connection.status === "connected") {
              socket.say({ request: 2, channel: "news", ...fields, type });
            }
          }
          await settled();
          expect(["connected", "reconnecting"]).toContain(client.connection.status);
          client.close();
          await ends;
          expect(unhandled).not.toHaveBeenCalled();
        },
      ),
      { numRuns: 500 },
    );
  });

  test("makes the client come back, and says so", async () => {
    const { client, server } = await live();
    server.socket.say({ type: "presence", channel: "news", count: 1, members: 5 });
    expect(client.connection).toMatchObject({
      status: "reconnecting",
      reason: expect.stringContaining("not a Fanfare frame"),
    });
  });
});

test("what an async handler rejects with is reported, also where a library has replaced the platform's Promise", async () => {
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  const { client, server } = await live();
  vi.stubGlobal("Promise", class extends Promise<unknown> {});
  client.subscribe("news", async () => {
    throw new Error("lost");
  });
  await settled();
  server.message("news", 6);
  await settled();
  expect(reported).toHaveBeenCalledWith(expect.objectContaining({ message: "lost" }));
  expect(unhandled).not.toHaveBeenCalled();
});

test.each([
  [Promise.resolve("c"), "csrf gave an object"],
  [5, "csrf gave 5"],
])("csrf that gives no text (%#) is told, and the client tries again", async (value, message) => {
  const { client, server } = setUp({ csrf: () => value as never });
  const onError = vi.fn();
  client.on("error", onError);
  client.connect();
  server.socket.open();
  await settled();
  expect(server.socket.sent).toEqual([]);
  expect(onError).toHaveBeenCalledWith(expect.objectContaining({ code: "no_token", message }));
  expect(client.connection.status).toBe("reconnecting");
});

test("csrf that gives null gives none, as of a page without the element", async () => {
  const { client, server } = setUp({ csrf: () => null as never });
  client.connect();
  server.socket.open();
  await settled();
  expect(server.socket.sent).toEqual([{ type: "connect", publisher: expect.any(String) }]);
});
