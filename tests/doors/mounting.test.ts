import { createServer } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { createFanfare } from "../../packages/server/src/library/fanfare.js";
import type { FanfareOptions } from "../../packages/server/src/library/options.js";
import { lettingAllListen } from "../../packages/server/src/testing/let-in.js";
import { Client, refused } from "./client.js";
import { listening } from "./serving.js";

/** Several Fanfares on one server. */
async function together(...all: FanfareOptions[]) {
  const server = createServer((_request, response) => void response.end("the application"));
  const fanfares = all.map((options) => createFanfare(lettingAllListen(options)));
  for (const fanfare of fanfares) {
    fanfare.attach(server);
    onTestFinished(() => fanfare.close({ withinSeconds: 0 }));
  }
  const port = await listening(server);
  return { server, fanfares, at: (path: string) => `ws://localhost:${port}${path}` };
}

describe("Fanfares on one HTTP server", () => {
  test("each serve their own path, and know nothing of each other's channels", async () => {
    const { fanfares, at } = await together({ path: "/one" }, { path: "/two" });
    const [one, two] = await Promise.all([Client.connect(at("/one")), Client.connect(at("/two"))]);
    await one.subscribe("a");
    await two.subscribe("a");
    await fanfares[0]?.publish("a", "one");
    await fanfares[1]?.publish("a", "two");
    expect(await one.deliveries.next()).toMatchObject({ data: "one", offset: 1 });
    expect(await two.deliveries.next()).toMatchObject({ data: "two", offset: 1 });
  });

  test("may live one below another's path: the more specific path wins, in whatever order they came", async () => {
    for (const order of [
      ["/push", "/push/inner"],
      ["/push/inner", "/push"],
    ]) {
      const { fanfares, at } = await together(...order.map((path) => ({ path })));
      const outer = await Client.connect(at("/push"));
      const inner = await Client.connect(at("/push/inner"));
      await outer.subscribe("a");
      await inner.subscribe("a");
      for (const fanfare of fanfares) await fanfare.publish("a", fanfare.path);
      expect(await outer.deliveries.next()).toMatchObject({ data: "/push" });
      expect(await inner.deliveries.next()).toMatchObject({ data: "/push/inner" });
    }
  });

  test("go on when one of them stops", async () => {
    const { fanfares, at } = await together({ path: "/one" }, { path: "/two" });
    const [one, two] = await Promise.all([Client.connect(at("/one")), Client.connect(at("/two"))]);
    await fanfares[0]?.close();
    expect(await one.closed).toMatchObject({ code: 1012 });
    await two.alive();
    await Client.connect(at("/two"));
    expect((await refused(at("/one"))).status).toBe(404);
  });

  test("take a query in the address", async () => {
    const { at } = await together({});
    await Client.connect(at("/push?from=here"));
  });
});

describe("an upgrade outside the path", () => {
  test.each(["/", "/other", "/pushy", "/PUSH"])(
    "to %s is answered with 404 when nobody else wants it",
    async (path) => {
      const { at } = await together({});
      const { status, problem } = await refused(at(path));
      expect(status).toBe(404);
      expect(problem).toMatchObject({ code: "not_found", detail: expect.stringContaining(path) });
    },
  );

  test("is left alone when the application has an upgrade listener", async () => {
    const { server, at } = await together({});
    const own = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket: Socket, head) => {
      if (request.url !== "/own") return;
      own.handleUpgrade(request, socket, head, (ws) => ws.send('{"type":"pong"}'));
    });
    const client = await Client.open(at("/own"), { protocols: [] });
    expect(await client.others.next()).toEqual({ type: "pong" });
    await Client.connect(at("/push"));
  });
});
