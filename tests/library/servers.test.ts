import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { Agent, createServer as createTlsServer, request as tlsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import express from "express";
import fastify from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { Client } from "./client.js";
import { historyOf, listen, make, post } from "./serve.js";
import { within } from "./within.js";

describe("a server with an application of its own", () => {
  test.each(["before", "after"])("keeps it for other paths, when it comes %s Fanfare", async (when) => {
    const server = createServer();
    const own = () => server.on("request", (request, response) => response.end(`own ${request.url}`));
    if (when === "before") own();
    const fanfare = make();
    fanfare.attach(server);
    if (when === "after") own();
    const site = `http://127.0.0.1:${await listen(server)}`;
    for (const path of ["/", "/pushy", "/push-x", "/PUSH/health", "/x/push/health"]) {
      expect(await (await fetch(site + path)).text()).toBe(`own ${path}`);
    }
    expect(await (await fetch(`${site}/push/health`)).json()).toEqual({ status: "ready" });
    expect((await fetch(`${site}/push/nothing`)).status).toBe(404);
    await fanfare.close();
    expect(await (await fetch(`${site}/push/health`)).text()).toBe("own /push/health");
  });

  test("that has none answers 404 elsewhere, also where a WebSocket is opened", async () => {
    const server = createServer();
    make().attach(server);
    const site = `http://127.0.0.1:${await listen(server)}`;
    expect((await fetch(`${site}/other`)).status).toBe(404);
    for (const path of ["/other", "/push/other", "/pushy"]) {
      await expect(Client.connect(site + path)).rejects.toThrow("404");
    }
  });

  test.each(["before", "after"])("shares it with a WebSocket library that came %s Fanfare", async (when) => {
    const server = createServer();
    const own = () => {
      const sockets = new WebSocketServer({ server, path: "/own" });
      sockets.on("connection", (socket) => socket.send("own"));
    };
    if (when === "before") own();
    const fanfare = make();
    fanfare.attach(server);
    if (when === "after") own();
    const site = `http://127.0.0.1:${await listen(server)}`;
    const socket = new WebSocket(`${site.replace("http", "ws")}/own`);
    const greeting = await within(new Promise((resolve) => socket.once("message", resolve)), "a greeting");
    expect(String(greeting)).toBe("own");
    socket.terminate();
    const client = await Client.connect(`${site}/push`);
    await client.subscribe("a");
    await fanfare.publish("a", 1);
    expect(await client.next("message")).toMatchObject({ offset: 1, data: 1 });
    client.close();
  });
});

describe("several of them", () => {
  test("two Fanfares live on one server, one below the other's path, each with its own channels", async () => {
    const server = createServer();
    const [outer, inner] = [make({ path: "/push" }), make({ path: "/push/inner" })];
    outer.attach(server);
    inner.attach(server);
    const site = `http://127.0.0.1:${await listen(server)}`;
    await post(`${site}/push/inner/channels/a/messages`, { data: 1 });
    expect(await inner.position("a")).toMatchObject({ offset: 1 });
    expect(await outer.position("a")).toMatchObject({ offset: 0 });
    const clients = [await Client.connect(`${site}/push`), await Client.connect(`${site}/push/inner`)];
    expect([outer.stats().connections, inner.stats().connections]).toEqual([1, 1]);
    for (const client of clients) client.close();
    await inner.close();
    expect((await fetch(`${site}/push/inner/health`)).status).toBe(404);
    expect((await fetch(`${site}/push/health`)).status).toBe(200);
  });

  test("two with one path are refused, and the first goes on", async () => {
    const server = createServer();
    const [first, second] = [make(), make()];
    first.attach(server);
    expect(() => second.attach(server)).toThrow("/push already");
    expect(() => first.attach(server)).toThrow(TypeError);
    const port = await listen(server);
    expect((await fetch(`http://127.0.0.1:${port}/push/health`)).status).toBe(200);
  });

  test("one Fanfare on several servers brings their clients together", async () => {
    const servers = [createServer(), createServer()];
    const fanfare = make();
    for (const server of servers) fanfare.attach(server);
    const bases = await Promise.all(
      servers.map(async (server) => `http://127.0.0.1:${await listen(server)}/push`),
    );
    const clients = await Promise.all(bases.map((base) => Client.connect(base)));
    for (const client of clients) await client.subscribe("a");
    await post(`${bases[0]}/channels/a/messages`, { data: "both" });
    for (const client of clients) expect(await client.next("message")).toMatchObject({ data: "both" });
    await fanfare.close();
    for (const client of clients) expect(await client.closed).toBe(1012);
    for (const base of bases) expect((await fetch(`${base}/health`)).status).toBe(404);
  });
});

test("an HTTPS server is served, too", async () => {
  // A key that both sides know makes certificates needless.
  const psk = Buffer.alloc(16, 7);
  const ciphers = "PSK-AES128-GCM-SHA256";
  const server = createTlsServer({ ciphers, maxVersion: "TLSv1.2", pskCallback: () => psk });
  const fanfare = make();
  fanfare.attach(server);
  const port = await listen(server as unknown as Server);
  const trust = {
    ciphers,
    maxVersion: "TLSv1.2" as const,
    pskCallback: () => ({ psk, identity: "test" }),
    checkServerIdentity: () => undefined,
  };
  const client = await Client.connect(`https://127.0.0.1:${port}/push`, { agent: new Agent(trust) });
  await client.subscribe("a");
  await fanfare.publish("a", 1);
  expect(await client.next("message")).toMatchObject({ data: 1 });
  const health = (headers: Record<string, string>) =>
    within(
      new Promise((resolve, reject) => {
        const request = tlsRequest({ ...trust, host: "127.0.0.1", port, path: "/push/health", headers });
        request.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
        request.end();
      }),
      "the health",
    );
  expect(await health({})).toBe(200);
  expect(await health({ Connection: "Upgrade", Upgrade: "h2c" })).toBe(200);
  client.close();
});

describe("the handler", () => {
  test("is enough for a server without WebSockets; elsewhere there is nothing", async () => {
    const fanfare = make();
    const site = `http://127.0.0.1:${await listen(createServer(fanfare.handler))}`;
    expect((await post(`${site}/push/channels/a/messages`, { data: 1 })).status).toBe(201);
    expect((await fetch(`${site}/other`)).status).toBe(404);
  });
});

describe("Express", () => {
  async function serve(setUp: (app: express.Express) => void) {
    const app = express();
    setUp(app);
    app.use((_request, response) => void response.send("own"));
    const site = `http://127.0.0.1:${await listen(createServer(app))}`;
    return { site, messages: `${site}/push/channels/a/messages` };
  }
  const json = { "Content-Type": "application/json" };

  test("calls the handler, and the next one for other paths", async () => {
    const { site, messages } = await serve((app) => app.use(make().handler));
    expect((await post(messages, { data: 1 })).status).toBe(201);
    expect(await (await fetch(`${site}/other`)).text()).toBe("own");
  });

  test("may mount the handler at its path", async () => {
    const { site, messages } = await serve((app) => app.use("/push", make().handler));
    expect((await post(messages, { data: 1 })).status).toBe(201);
    expect(await (await fetch(`${site}/push/health?x`)).json()).toEqual({ status: "ready" });
    expect(await (await fetch(`${site}/other`)).text()).toBe("own");
  });

  test("may read bodies before, as JSON", async () => {
    const { messages } = await serve((app) => app.use(express.json(), make().handler));
    expect((await post(messages, { data: { n: 1 } }, json)).status).toBe(201);
    expect((await post(messages, '{"data":{"__proto__":2}}', json)).status).toBe(201);
    // Not for the parser: of another type.
    expect((await post(messages, { data: 3 })).status).toBe(201);
    expect((await post(messages, '{"data":[9007199254740993]}', json)).status).toBe(400);
    expect((await post(messages, "", json)).status).toBe(400);
    const { messages: held } = await historyOf(await fetch(messages));
    expect(held.map(({ data }) => JSON.stringify(data))).toEqual(['{"n":1}', '{"__proto__":2}', "3"]);
  });

  test("may read bodies before, as text or bytes", async () => {
    for (const parser of [express.text({ type: () => true }), express.raw({ type: () => true })]) {
      const { messages } = await serve((app) => app.use(parser, make().handler));
      expect((await post(messages, { data: 1 })).status).toBe(201);
      expect((await post(messages, "{")).status).toBe(400);
    }
  });

  test("is told when it has read a body as something else", async () => {
    const { messages } = await serve((app) => app.use(express.urlencoded(), make().handler));
    const answer = await post(messages, '{"data":1}', {
      "Content-Type": "application/x-www-form-urlencoded",
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "invalid_json",
      detail: expect.stringContaining("has read the body already"),
      remedy: expect.stringContaining("application/json"),
    });
  });

  test("shares its server, WebSockets included, whatever the application does with bodies", async () => {
    const app = express();
    app.use(express.json(), (_request, response) => void response.send("own"));
    const server = createServer(app);
    const fanfare = make();
    fanfare.attach(server);
    const site = `http://127.0.0.1:${await listen(server)}`;
    const client = await Client.connect(`${site}/push`);
    await client.subscribe("a");
    expect((await post(`${site}/push/channels/a/messages`, { data: 1 }, json)).status).toBe(201);
    expect(await client.next("message")).toMatchObject({ data: 1 });
    expect(await (await fetch(`${site}/other`)).text()).toBe("own");
    client.close();
  });
});

describe("Fastify", () => {
  test("shares its server, WebSockets included, and closes", async () => {
    const app = fastify({ forceCloseConnections: true });
    onTestFinished(() => app.close());
    app.get("/own", async () => "own");
    app.post("/own", async ({ body }) => body);
    const fanfare = make();
    fanfare.attach(app.server);
    await app.listen({ port: 0, host: "127.0.0.1" });
    const site = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    const client = await Client.connect(`${site}/push`);
    await client.subscribe("a");
    expect((await post(`${site}/push/channels/a/messages`, { data: 1 })).status).toBe(201);
    expect(await client.next("message")).toMatchObject({ data: 1 });
    expect(await (await fetch(`${site}/own`)).text()).toBe("own");
    const echo = await post(`${site}/own`, { x: 1 }, { "Content-Type": "application/json" });
    expect(await echo.json()).toEqual({ x: 1 });
    await fanfare.close();
    expect(await client.closed).toBe(1012);
    await within(app.close(), "Fastify's end");
  });
});

describe("HTTP/2 of the application's server", () => {
  type Own = "nothing" | "requests" | "streams";

  async function statusesOf(own: Own, paths: readonly string[]): Promise<unknown[]> {
    const server = createHttp2Server();
    if (own === "requests") server.on("request", (_request, response) => response.end("own"));
    if (own === "streams") {
      server.on("stream", (stream, headers) => {
        if (headers[":path"]?.startsWith("/push")) return;
        stream.respond({ ":status": 202 });
        stream.end("own");
      });
    }
    make().attach(server as unknown as Server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    onTestFinished(() => void session.destroy());
    onTestFinished(() => void server.close());
    const statuses: unknown[] = [];
    for (const path of paths) {
      const request = session.request({ ":path": path });
      const [headers] = await within(once(request, "response"), `the answer of ${path}`);
      statuses.push(headers[":status"]);
      request.close();
    }
    return statuses;
  }

  test.each<[Own, number]>([
    ["nothing", 404],
    ["requests", 200],
    ["streams", 202],
  ])("works where the application takes %s, which answers elsewhere with %i", async (own, elsewhere) => {
    expect(await statusesOf(own, ["/push/health", "/push", "/other"])).toEqual([200, 426, elsewhere]);
  });
});
