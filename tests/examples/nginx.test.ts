import { io } from "socket.io-client";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { Client } from "../library/client.js";
import { historyOf, post, problemOf } from "../library/serve.js";
import { within } from "../library/within.js";
import { Example, Listener } from "./example.js";
import { installNginx, startNginx } from "./nginx.js";
import { ask, events, http2 } from "./nginx-http2.js";

const KEY = "a-key-for-these-tests-only";
/** As many connections as fetch may have kept, and found closed one after the other. */
const KEPT_CONNECTIONS = 10;
const authorization = { Authorization: `Bearer ${KEY}` };

async function start() {
  const app = await Example.start("nginx/server.js", { API_KEY: KEY });
  const nginx = await startNginx(app.port);
  const base = `${nginx.site}/push`;
  return { app, nginx, base, messages: `${base}/channels/order:42/messages` };
}

// Where nginx is missing, its packages have to be loaded first.
beforeAll(installNginx, 300_000);

describe("the example nginx", () => {
  test("passes on everything: pages, HTTP with a key, WebSockets, and the server's goodbye", async () => {
    const { app, nginx, base, messages } = await start();
    expect(await (await fetch(nginx.site)).text()).toContain("Order 42");
    expect(await (await fetch(`${base}/client.js`)).text()).toContain("createClient");
    const listener = await Listener.to(base, "order:42");
    const client = await Client.connect(base);
    expect((await post(messages, { data: 1 }, authorization)).status).toBe(201);
    expect((await fetch(`${nginx.site}/orders/42/pay`, { method: "POST" })).status).toBe(204);
    await listener.until("both messages", () => listener.messages.length === 2);
    expect(listener.data).toEqual([1, { status: "paid" }]);
    expect((await historyOf(await fetch(messages))).head).toBe(2);
    for (const [headers, code] of [
      [{}, "not_logged_in"],
      [{ Authorization: `Bearer ${KEY}x` }, "not_logged_in"],
    ] as const) {
      const refused = await post(messages, { data: "forged" }, headers);
      expect([refused.status, (await problemOf(refused)).code]).toEqual([401, code]);
    }
    // The app's own: it only begins like Fanfare's path.
    expect(await (await fetch(`${nginx.site}/pushy`)).text()).toBe("");

    const ended = app.stop();
    expect(await client.next("goodbye")).toMatchObject({ retryAfterSeconds: expect.any(Number) });
    expect(await client.closed).toBe(1012);
    expect(await ended).toBe(0);
    expect((await fetch(`${base}/health`)).status).toBe(502);
  });

  test("passes on the public host name, so that its own pages are let in, and those of others are not", async () => {
    const { nginx, base } = await start();
    const socket = (host: string, origin: string) =>
      Client.connect(base, { headers: { Host: host }, origin });
    for (const [host, origin] of [
      ["app.example.com", "https://app.example.com"],
      ["app.example.com:8443", "https://app.example.com:8443"],
      [new URL(nginx.site).host, nginx.site],
    ] as const) {
      (await socket(host, origin)).close();
    }
    for (const [host, origin] of [
      ["app.example.com", "https://evil.example"],
      ["app.example.com:8443", "https://app.example.com"],
    ] as const) {
      await expect(socket(host, origin)).rejects.toThrow("403");
    }
  });

  test("works over TLS with HTTP/2 and gzip: calls, streams, WebSockets and Socket.IO", async () => {
    const app = await Example.start("nginx/server.js", { API_KEY: KEY });
    const { site } = await startNginx(app.port, { tls: true });
    const session = http2(site);
    const stream = events(session, "/push/sse?channel=order:42");
    await stream.nextThat((block) => block.includes("fanfare.cursor"));
    const client = await Client.connect(`${site}/push`, { rejectUnauthorized: false });
    await client.subscribe("order:42");
    const sockets = ["polling", "websocket"].map((transport) =>
      io(site, { transports: [transport], rejectUnauthorized: false, auth: { channels: ["order:42"] } }),
    );
    for (const socket of sockets) onTestFinished(() => void socket.close());
    await Promise.all(sockets.map((socket) => new Promise((done) => socket.once("subscribed", done))));
    const heard = sockets.map((socket) => new Promise((done) => socket.once("message", done)));
    const body = JSON.stringify({ event: "paid", data: { text: "x".repeat(2000) } });
    const answer = await ask(session, "POST", "/push/channels/order:42/messages", authorization, body);
    expect(answer.status).toBe(201);
    expect(await stream.nextThat((block) => block.includes("event: paid"))).toContain("xxx");
    expect(await client.next("message")).toMatchObject({ event: "paid", offset: 1 });
    await within(Promise.all(heard), "the message at Socket.IO");
    const history = await ask(session, "GET", "/push/channels/order:42/messages");
    expect([history.status, history.encoding, JSON.parse(history.text).head]).toEqual([200, "gzip", 1]);
  });

  test("can be reloaded: its connections end, and those who listen miss nothing", async () => {
    const { nginx, base, messages } = await start();
    const listener = await Listener.to(base, "order:42");
    let published = 0;
    // A reload may cut off requests on kept connections, before or after they got through; the key makes it safe to repeat.
    const publish = async () => {
      const data = ++published;
      const send = () => post(messages, { data }, { ...authorization, "Idempotency-Key": String(data) });
      let answer = await send().catch(() => null);
      for (let kept = 0; !answer && kept < KEPT_CONNECTIONS; kept++) answer = await send().catch(() => null);
      expect([200, 201]).toContain(answer?.status);
    };
    await publish();
    nginx.reload();
    // Until the old worker ends; then while nobody listens, though no more than the log holds.
    while (listener.client.connection.status === "connected" && listener.recovered.length < 2)
      await publish();
    for (let times = 0; times < 20; times++) await publish();
    await listener.until("a subscription that goes on", () => listener.recovered.length === 2);
    await publish();
    await listener.until("all messages", () => listener.messages.length === published);
    expect(listener.data).toEqual(Array.from({ length: published }, (_, index) => index + 1));
    expect(listener.gaps).toEqual([]);
    expect(listener.recovered).toEqual([false, true]);
  });
});
