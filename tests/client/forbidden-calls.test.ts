/** A page asks for what it may not do, on a WebSocket and on a stream of events: each call is refused alone, and all else goes on. */
import { expect, onTestFinished, test } from "vitest";
import type { Client, ClientOptions, Message } from "../../packages/client/src/index.js";
import { HttpProxy } from "./http-proxy.js";
import { clientOf, inState, Recorder, serve, urlOf, withDeadline } from "./world.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const CALLS: Readonly<Record<string, (client: Client) => Promise<unknown>>> = {
  publish: (client) => client.publish("closed", 1),
  patch: (client) => client.patch("closed", { a: 1 }),
  lock: (client) => client.lock("closed"),
  next: (client) => client.next("closed"),
};
/** Those that need a connection of their own. */
const ON_WEBSOCKET = ["lock", "next"];

test.each([
  ["websocket", {}],
  ["websocket", { queue: true }],
  ["sse", {}],
  ["sse", { queue: true }],
] as const)("over %s, with %j", async (transport, options: ClientOptions) => {
  const { port, url, fanfare, close } = await serve({
    access: "granted",
    tokens: { secrets: [SECRET] },
    userGrants: [
      { channels: "open", actions: ["subscribe", "history", "publish", "patch", "lock", "sequence"] },
      { channels: "closed", actions: ["subscribe", "history"] },
    ],
  });
  onTestFinished(() => close());
  const proxy = await HttpProxy.to(port);
  onTestFinished(() => proxy.close());
  const { token } = await fanfare.token({ user: "alice", grants: [], expiresInSeconds: 60 });
  const address = transport === "sse" ? urlOf(proxy.port) : url;
  const client = clientOf(address, { token, random: () => 0, ...options });
  onTestFinished(() => client.close());
  const heard = new Recorder<Message>();
  const told: unknown[] = [];
  client.on("error", (error) => told.push(error));
  await withDeadline(
    new Promise<void>((done) => {
      client.subscribe("closed", heard.add, { onSubscribed: () => done() });
    }),
    "the subscription",
  );
  const { id, transport: way } = await inState(client, "connected");
  expect(way).toBe(transport);
  client.on("connection", (state) => told.push(state));

  for (const [name, call] of Object.entries(CALLS)) {
    const isHere = transport === "websocket" || !ON_WEBSOCKET.includes(name);
    const code = isHere ? "forbidden" : "needs_websocket";
    await expect(call(client), name).rejects.toMatchObject({ code, passes: false });
    await client.publish("open", name);
    await fanfare.publish("closed", name);
  }
  await heard.atLeast(4);
  expect(heard.items.map(({ data }) => data)).toEqual(Object.keys(CALLS));
  expect((await fanfare.history("open")).messages.map(({ data }) => data)).toEqual(Object.keys(CALLS));
  expect([told, client.queued, client.connection]).toMatchObject([[], 0, { status: "connected", id }]);
});
