/** A page of another origin that is allowed, with a cookie: every way in knows whose it is, and the page reads every answer. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, type Page, test } from "@playwright/test";
import { createFanfare } from "fanfare";

const COOKIE = "session=alice";
const grants = [{ channels: "**", actions: ["subscribe", "publish", "history"] }] as const;

async function listen(server: Server): Promise<string> {
  server.listen(0, "localhost");
  await once(server, "listening");
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** An application whose page has both clients and a cookie, and a Fanfare on another port that asks whose it is. */
async function site({ allowed }: { allowed: boolean }) {
  let html = "";
  const app = createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "text/html", "Set-Cookie": COOKIE }).end(html);
  });
  const origin = await listen(app);
  const fanfare = createFanfare({
    access: "granted",
    allowedOrigins: allowed ? [origin] : [],
    authorize: ({ headers }) => {
      const knows = headers.get("cookie")?.includes(COOKIE);
      return knows ? { user: "alice", grants } : null;
    },
    socketio: { services: [{ name: "orders", path: "/orders" }] },
  });
  const server = createServer();
  fanfare.attach(server);
  const push = await listen(server);
  html = `<!doctype html><script src="${push}/socket.io/socket.io.js"></script><script src="${push}/push/client.js"></script>`;
  const close = async () => {
    await fanfare.close({ withinSeconds: 0 });
    for (const each of [app, server]) {
      each.closeAllConnections();
      each.close();
    }
  };
  return { origin, push, fanfare, close };
}

/** What the page's scripts use; the libraries are loaded by script tags. */
declare const io: (
  url: string,
  options: object,
) => {
  on(event: string, listener: (value: { data?: unknown }) => void): void;
  emit(...said: string[]): void;
};
declare const Fanfare: {
  createClient(options: object): {
    subscribe(channel: string, heard: (message: { data: unknown }) => void, options: object): void;
    publish(channel: string, data: unknown): Promise<object>;
    readonly connection: { readonly transport?: string };
  };
};
declare const found: Record<string, unknown>;

/** Listens in the page by each way; `found` says there what each has come to. */
async function listenEveryWay(page: Page, push: string): Promise<void> {
  await page.evaluate((url) => {
    const ways: Record<string, unknown> = {};
    Object.assign(globalThis, { found: ways });
    const is = (way: string, what: unknown) => () => {
      ways[way] = what;
    };
    const hears = (way: string) => (message: { data?: unknown }) => {
      ways[way] = message.data;
    };
    for (const transport of ["polling", "websocket"]) {
      const options = { withCredentials: true, transports: [transport], reconnection: false, forceNew: true };
      const socket = io(url, options);
      socket.on("connect_error", is(transport, "refused"));
      socket.on("connect", () => socket.emit("subscribe", "news"));
      socket.on("subscribed", is(transport, "listens"));
      socket.on("message", hears(transport));
    }
    const events = new EventSource(`${url}/push/sse?channel=news`, { withCredentials: true });
    events.addEventListener("fanfare.subscribed", is("events", "listens"));
    events.onmessage = ({ data }) => hears("events")(JSON.parse(data));
    events.onerror = is("events", "refused");
    const client = Fanfare.createClient({ url: `${url}/push` });
    client.subscribe("news", hears("client"), { onSubscribed: is("client", "listens") });
  }, push);
}

const state = (page: Page) => page.evaluate(() => ({ ...found }));
const everyWay = (what: string) => ({ polling: what, websocket: what, events: what, client: what });

/** What a page may read of the answer to a call. */
async function call(page: Page, url: string, init: RequestInit = {}) {
  return page.evaluate(
    async ([address, options]) => {
      try {
        const answer = await fetch(address, { credentials: "include", ...options });
        const headers = Object.fromEntries(
          ["etag", "retry-after", "allow"].map((name) => [name, answer.headers.get(name)]),
        );
        const body = await answer.text();
        return { status: answer.status, body, ...headers };
      } catch (error) {
        return { status: 0, body: String(error) };
      }
    },
    [url, init] as const,
  );
}

test("is known by its cookie by polling, WebSocket, EventSource and the client, and reads what it calls", async ({
  page,
}) => {
  const { origin, push, fanfare, close } = await site({ allowed: true });
  await page.goto(origin);
  await listenEveryWay(page, push);
  await expect.poll(() => state(page)).toEqual(everyWay("listens"));
  await fanfare.publish("news", "hello");
  await expect.poll(() => state(page)).toEqual(everyWay("hello"));

  const json = { "Content-Type": "application/json", "X-Csrf-Token": "any" };
  const messages = `${push}/push/channels/news/messages`;
  expect(await call(page, messages)).toMatchObject({ status: 200, body: expect.stringContaining("hello") });
  const post = { method: "POST", body: '{"data":1}' };
  expect(await call(page, messages, { ...post, headers: json })).toMatchObject({ status: 201 });
  // The rules against forged calls hold for allowed origins, too.
  expect(
    await call(page, messages, { ...post, headers: { "Content-Type": "application/json" } }),
  ).toMatchObject({
    status: 403,
    body: expect.stringContaining("X-Csrf-Token"),
  });
  for (const [path, init, status] of [
    ["/push/nothing", {}, 404],
    ["/push/health", { method: "PUT", headers: json }, 405],
    [
      "/push/channels/news/messages",
      { method: "POST", headers: json, body: `{"data":"${"x".repeat(500_000)}"}` },
      413,
    ],
    ["/push/sse?channel=", {}, 400],
    ["/orders", {}, 200],
    ["/orders/none", {}, 404],
    ["/socket.io/?EIO=4&transport=polling&sid=none", {}, 400],
    ["/socket.io/?EIO=4&transport=polling", { method: "DELETE" }, 405],
  ] as const) {
    expect(await call(page, push + path, init), path).toMatchObject({ status });
  }
  expect(await call(page, `${push}/push/health`, { method: "PUT", headers: json })).toMatchObject({
    allow: expect.stringContaining("GET"),
  });
  await close();
});

test("is known by its cookie where WebSockets are blocked, and publishes with the CSRF token that it gives", async ({
  page,
}) => {
  const { origin, push, fanfare, close } = await site({ allowed: true });
  await page.goto(origin);
  /** A client behind what blocks WebSockets: what it hears, what comes of its publish, and what it hears then. */
  const published = (csrf: string | null) =>
    page.evaluate(
      async ([url, token]) => {
        const Blocked = () => {
          throw new Error("blocked");
        };
        const client = Fanfare.createClient({
          url: `${url}/push`,
          WebSocket: Blocked,
          random: () => 0,
          ...(token !== null && { csrf: () => token }),
        });
        const heard: unknown[] = [];
        const hears = { next: () => {} };
        await new Promise<void>((onSubscribed) => {
          const hear = ({ data }: { data: unknown }) => {
            heard.push(data);
            hears.next();
          };
          client.subscribe("news", hear, { onSubscribed: () => onSubscribed() });
        });
        const echo = new Promise<void>((next) => Object.assign(hears, { next }));
        const answer = await client.publish("news", "from the page").catch((error: object) => ({ ...error }));
        if (!("code" in answer)) await echo;
        return { answer, heard, transport: client.connection.transport };
      },
      [push, csrf] as const,
    );
  expect(await published("any")).toMatchObject({
    answer: { offset: 1 },
    heard: ["from the page"],
    transport: "sse",
  });
  expect((await fanfare.history("news")).messages).toMatchObject([{ user: "alice" }]);
  // By a WebSocket the page's origin is enough. A call without the token is refused alone, and says what is missing.
  expect(await published(null)).toMatchObject({
    answer: { code: "forbidden", remedy: expect.stringContaining("`csrf`") },
    transport: "sse",
  });
  await close();
});

test("of an origin that is not allowed gets in by no way", async ({ page }) => {
  const { origin, push, close } = await site({ allowed: false });
  await page.goto(origin);
  await listenEveryWay(page, push);
  const { client: _, ...refused } = everyWay("refused");
  await expect.poll(() => state(page)).toEqual(refused);
  expect(await call(page, `${push}/push/health`)).toMatchObject({ status: 0 });
  await close();
});
