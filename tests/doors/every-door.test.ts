/** A publisher in each door and in HTTP, a subscriber in each: everybody gets everything, in one order, once. */
import { expect, test } from "vitest";
import { onSocket, overRest, overSocket } from "../feathers/feathers-client.js";
import { post } from "../library/serve.js";
import { Client } from "./client.js";
import { EventStream } from "./event-stream.js";
import { serve } from "./serving.js";
import { ask, connect } from "./socketio-client.js";

const EACH = 40;

test("what is published anywhere arrives everywhere, in one order, once", async () => {
  const services = [{ name: "orders", records: 0 }];
  const rules = [{ channels: "orders", history: 10_000 }];
  const { fanfare, port, url, http } = await serve({ access: "open", socketio: { services }, rules });
  const site = `http://localhost:${port}`;

  const [webSocket, feathers, polling] = await Promise.all([
    Client.connect(url),
    onSocket(site),
    connect(site, { transports: ["polling"] }),
  ]);
  const named = await connect(site, { auth: { channels: ["orders"] } });
  const stream = await EventStream.open(`${http}/sse?channel=orders`);
  await webSocket.subscribe("orders");
  const heard = new Map<string, unknown[]>([["@feathersjs/client", []]]);
  overSocket(feathers)
    .service("orders")
    .on("created", (record: unknown) => heard.get("@feathersjs/client")?.push(record));
  // Whoever has an answer has heard what came before it.
  for (const client of [feathers, polling, named]) await ask(client, "subscribe", "ready");

  const rest = overRest(site).service("orders");
  const publishers: Record<string, (data: object) => Promise<unknown>> = {
    process: (data) => fanfare.publish("orders", data, { event: "created" }),
    http: (data) => post(`${http}/channels/orders/messages`, { event: "created", data }),
    webSocket: (data) => webSocket.ask({ type: "publish", channel: "orders", event: "created", data }),
    socketIo: (data) => ask(named, "publish", { channel: "orders", event: "created", data }),
    polling: (data) => ask(polling, "publish", { channel: "orders", event: "created", data }),
    feathers: (data) => feathers.app.service("orders").create(data),
    rest: (data) => rest.create(data),
  };
  await Promise.all(
    Object.entries(publishers).map(async ([from, publish]) => {
      for (let index = 0; index < EACH; index++) await publish({ from, index });
    }),
  );
  const count = EACH * Object.keys(publishers).length;
  await fanfare.publish("orders", "end", { event: "created" });

  const log = (await fanfare.history("orders", { limit: 1000 })).messages.map(({ data }) => data);
  expect(log).toHaveLength(count + 1);
  for (const from of Object.keys(publishers)) {
    const own = log.filter((data) => (data as { from?: string }).from === from);
    expect(own).toEqual(Array.from({ length: EACH }, (_, index) => ({ from, index })));
  }

  for (const [name, client] of Object.entries({ feathers, polling, named })) {
    const records: unknown[] = [];
    while (records.at(-1) !== "end") {
      const { args } = await client.heard.nextThat(({ event }) => event === "orders created");
      records.push(args[0]);
    }
    heard.set(name, records);
  }
  const frames = await webSocket.deliveries.take(count + 1);
  heard.set(
    "WebSocket",
    frames.map((frame) => frame.type === "message" && frame.data),
  );
  const events = await stream.deliveries.take(count + 1);
  heard.set(
    "SSE",
    events.map(({ data }) => (JSON.parse(data) as { data: unknown }).data),
  );
  for (const [name, records] of heard) expect(records, name).toEqual(log);
});
