import type { Application } from "@feathersjs/feathers";
import { describe, expect, test } from "vitest";
import { DiskEngine } from "../../packages/server/src/engine/disk/disk-engine.js";
import type { FanfareOptions } from "../../packages/server/src/library/options.js";
import { aFolder } from "../../packages/server/src/testing/a-folder.js";
import { serve } from "../doors/serving.js";
import { ask, type SocketIoClient } from "../doors/socketio-client.js";
import { onSocket, overRest } from "./feathers-client.js";

async function serving(options: FanfareOptions = {}) {
  const served = await serve({ access: "open", socketio: { services: ["orders"] }, ...options });
  return { ...served, site: `http://localhost:${served.port}` };
}

test("a find counts by the records that it looks at, not by those that it finds", async () => {
  const { site } = await serving({ rates: { readsPerConnection: 4 } });
  const orders = (await onSocket(site)).app.service("orders");
  await Promise.all(Array.from({ length: 100 }, (_, id) => orders.create({ id })));
  const findNothing = () => orders.find({ query: { text: "nothing" } });
  expect(await findNothing()).toMatchObject({ total: 0 });
  expect(await findNothing()).toMatchObject({ total: 0 });
  await expect(findNothing()).rejects.toMatchObject({
    message: expect.stringContaining("readsPerConnection"),
  });
  expect((await (await onSocket(site)).app.service("orders").get(7)).id).toBe(7);
});

const eventsOf = async ({ heard }: SocketIoClient, count: number) => {
  const events: [string, unknown][] = [];
  while (events.length < count) {
    const { event, args } = await heard.next();
    if (event.includes(" ")) events.push([event, args[0]]);
  }
  return events;
};

describe.each(["Socket.IO", "REST"])("@feathersjs/client over %s", (transport) => {
  async function client(options?: FanfareOptions): Promise<Application & { site: string }> {
    const { site } = await serving(options);
    const app = transport === "REST" ? overRest(site) : (await onSocket(site)).app;
    return Object.assign(app, { site });
  }

  test("creates, gets, finds, updates, patches and removes records", async () => {
    const orders = (await client()).service("orders");
    const made = await orders.create({ text: "first", note: null, lines: [1, null] });
    expect(made).toEqual({ id: expect.stringMatching(/^[\w-]{22}$/), text: "first", lines: [1, null] });
    expect(await orders.get(made.id)).toEqual(made);
    expect(await orders.create({ id: 42, text: "second" })).toEqual({ id: 42, text: "second" });
    expect(await orders.find()).toEqual({
      total: 2,
      limit: 100,
      skip: 0,
      data: [made, { id: 42, text: "second" }],
    });
    expect(await orders.update(42, { status: "open" })).toEqual({ id: 42, status: "open" });
    expect(await orders.patch(42, { status: null, paid: true })).toEqual({ id: 42, paid: true });
    expect(await orders.remove(made.id)).toEqual(made);
    expect((await orders.find()).data).toEqual([{ id: 42, paid: true }]);
  });

  test("finds pages of records that have what is asked for", async () => {
    const orders = (await client()).service("orders");
    for (let id = 1; id <= 5; id++) await orders.create({ id: `o${id}`, odd: id % 2 === 1, count: id });
    const ids = async (query: object) => {
      const { data, ...page } = await orders.find({ query });
      return { ...page, ids: data.map((record: { id: string }) => record.id) };
    };
    expect(await ids({ odd: true })).toEqual({ total: 3, limit: 100, skip: 0, ids: ["o1", "o3", "o5"] });
    expect(await ids({ odd: true, $limit: 1, $skip: 1 })).toEqual({
      total: 3,
      limit: 1,
      skip: 1,
      ids: ["o3"],
    });
    expect(await ids({ count: 2 })).toMatchObject({ ids: ["o2"] });
    expect(await ids({ count: 2, odd: true })).toMatchObject({ total: 0, ids: [] });
    expect(await ids({ $limit: 0 })).toMatchObject({ total: 5, ids: [] });
  });

  test("is told in Feathers' own errors what was wrong, and what to do", async () => {
    const app = await client();
    const orders = app.service("orders");
    await orders.create({ id: "a" });
    const errorOf = (call: Promise<unknown>) =>
      call.then(
        () => null,
        ({ name, code, className, message, data }) => ({ name, code, className, message, data }),
      );
    expect(await errorOf(orders.get("gone"))).toEqual({
      name: "NotFound",
      code: 404,
      className: "not-found",
      message: "there is no record orders:gone",
      data: {
        code: "not_found",
        remedy: "Compare the id and the query. orders keeps its newest 1000 records.",
      },
    });
    expect(await errorOf(orders.create({ id: "a" }))).toMatchObject({
      name: "Conflict",
      data: { remedy: "Update or patch it, or create one with another id." },
    });
    expect(await errorOf(orders.create({ id: "a b" }))).toMatchObject({
      name: "BadRequest",
      message: 'id is "\\"a b\\""',
    });
    expect(await errorOf(orders.create([{ id: "b" }]))).toMatchObject({ name: "MethodNotAllowed" });
    expect(await errorOf(orders.remove(null))).toMatchObject({ name: "MethodNotAllowed" });
    expect(await errorOf(orders.patch("gone", {}))).toMatchObject({ name: "NotFound" });
    expect(await errorOf(orders.create({ text: "x".repeat(70_000) }))).toMatchObject({
      name: "BadRequest",
      data: { code: "too_large" },
    });
  });

  test("a service that keeps no records only tells", async () => {
    const orders = (await client({ socketio: { services: [{ name: "orders", records: 0 }] } })).service(
      "orders",
    );
    expect(await orders.create({ text: "hello" })).toEqual({ text: "hello" });
    await expect(orders.find()).rejects.toMatchObject({
      name: "MethodNotAllowed",
      data: { remedy: expect.stringContaining("records") },
    });
    await expect(orders.get("a")).rejects.toMatchObject({ name: "MethodNotAllowed" });
  });
});

describe("events", () => {
  test("what happens to records is told to all, by socket and by REST, in one order", async () => {
    const { site } = await serving();
    const [page, other] = await Promise.all([onSocket(site), onSocket(site)]);
    const rest = overRest(site).service("orders");
    const events: unknown[] = [];
    for (const event of ["created", "updated", "patched", "removed"]) {
      page.app.service("orders").on(event, (record: unknown) => events.push([`orders ${event}`, record]));
    }
    await rest.create({ id: "a", n: 1 });
    await other.app.service("orders").update("a", { n: 2 });
    await rest.patch("a", { n: 3 });
    await other.app.service("orders").remove("a");
    const wanted = [
      ["orders created", { id: "a", n: 1 }],
      ["orders updated", { id: "a", n: 2 }],
      ["orders patched", { id: "a", n: 3 }],
      ["orders removed", { id: "a", n: 3 }],
    ];
    expect(await eventsOf(page, 4)).toEqual(wanted);
    expect(await eventsOf(other, 4)).toEqual(wanted);
    expect(events).toEqual(wanted);
  });

  test("who names a record hears that one only, and is given it as it is", async () => {
    const { site, fanfare } = await serving();
    const [page, maker] = await Promise.all([onSocket(site), onSocket(site)]);
    const orders = maker.app.service("orders");
    await orders.create({ id: "mine", n: 1 });
    await eventsOf(page, 1);
    expect(await ask(page, "subscribe", "orders:mine")).toMatchObject({
      channel: "orders:mine",
      recovered: false,
      state: { id: "mine", n: 1 },
    });
    await orders.create({ id: "other" });
    await orders.patch("mine", { n: 2 });
    await orders.patch("other", { n: 2 });
    await orders.patch("mine", { n: 3 });
    expect(await eventsOf(page, 2)).toEqual([
      ["orders patched", { id: "mine", n: 2 }],
      ["orders patched", { id: "mine", n: 3 }],
    ]);
    await fanfare.publish("orders:mine", { id: "mine" }, { event: "shipped" });
    expect(await eventsOf(page, 1)).toEqual([["orders shipped", { id: "mine" }]]);
  });

  test("nobody hears a record twice: the service or single records, not both", async () => {
    const { site } = await serving({ socketio: { services: [{ name: "orders", join: "named" }] } });
    const page = await onSocket(site);
    expect(await ask(page, "subscribe", "orders")).toMatchObject({ channel: "orders" });
    expect(await ask(page, "subscribe", "orders:1")).toMatchObject({
      error: { name: "Conflict", data: { code: "already_subscribed" } },
    });
    expect(await ask(page, "unsubscribe", "orders")).toEqual({});
    expect(await ask(page, "subscribe", "orders:1")).toMatchObject({ channel: "orders:1" });
    expect(await ask(page, "subscribe", "orders")).toMatchObject({ error: { name: "Conflict" } });
  });

  test("a service with join `named` tells nothing to those who name nothing", async () => {
    const { site } = await serving({ socketio: { services: ["loud", { name: "orders", join: "named" }] } });
    const page = await onSocket(site);
    const rest = overRest(site);
    await rest.service("orders").create({ id: 1 });
    await rest.service("loud").create({ id: 2 });
    expect(await eventsOf(page, 1)).toEqual([["loud created", { id: 2 }]]);
  });

  test("what is named when connecting is heard, with what was missed, instead of everything", async () => {
    const { site, fanfare } = await serving();
    const rest = overRest(site).service("orders");
    await rest.create({ id: "a" });
    const { epoch } = await fanfare.position("orders:a");
    const page = await onSocket(site, { auth: { channels: [{ channel: "orders:a", since: `${epoch}:0` }] } });
    await rest.create({ id: "b" });
    await rest.patch("a", { n: 1 });
    expect(await eventsOf(page, 2)).toEqual([
      ["orders created", { id: "a" }],
      ["orders patched", { id: "a", n: 1 }],
    ]);
  });

  test("a record that somebody changes by its state is found so, and its readers are told", async () => {
    const { site, fanfare } = await serving();
    const page = await onSocket(site);
    const orders = overRest(site).service("orders");
    await orders.create({ id: "a", n: 1 });
    await ask(page, "subscribe", "orders:a");
    await fanfare.states.patch("orders:a", { n: 2 });
    expect((await page.heard.nextThat(({ event }) => event === "state")).args[0]).toMatchObject({
      patch: { n: 2 },
    });
    expect(await orders.get("a")).toEqual({ id: "a", n: 2 });
  });
});

describe("the index", () => {
  test("holds the newest records; the oldest goes, and that is told", async () => {
    const { site } = await serving({ socketio: { services: [{ name: "orders", records: 3 }] } });
    const page = await onSocket(site);
    const orders = overRest(site).service("orders");
    for (let id = 1; id <= 4; id++) await orders.create({ id });
    expect((await orders.find()).data).toEqual([{ id: 2 }, { id: 3 }, { id: 4 }]);
    await expect(orders.get(1)).rejects.toMatchObject({ name: "NotFound" });
    expect((await eventsOf(page, 5)).at(-1)).toEqual(["orders removed", { id: 1 }]);
  });

  test("has room in one state, whatever is asked for", async () => {
    const { site } = await serving({
      limits: { stateBytes: 300 },
      socketio: { services: [{ name: "orders", records: 1000 }] },
    });
    const orders = overRest(site).service("orders");
    for (let id = 1; id <= 30; id++) await orders.create({ id: `a-long-id-of-a-record-${id}` });
    const { data, total } = await orders.find();
    expect(total).toBeGreaterThan(3);
    expect(total).toBeLessThan(10);
    expect(data.at(-1)).toEqual({ id: "a-long-id-of-a-record-30" });
  });

  test("can be heard like a state, and by nobody changed", async () => {
    const { site, fanfare } = await serving();
    await overRest(site).service("orders").create({ id: "a" });
    const page = await onSocket(site);
    expect(await ask(page, "subscribe", "$index:orders")).toMatchObject({ state: { a: expect.any(Number) } });
    await expect(fanfare.states.patch("$index:orders", { a: null })).rejects.toThrow(/Fanfare's own/);
    await expect(fanfare.publish("$index:orders", 1)).rejects.toThrow(/Fanfare's own/);
  });

  test("and the records outlive the process on the disk engine", async () => {
    const dataDir = aFolder();
    for (const step of ["made", "found"]) {
      const engine = await DiskEngine.open({ dataDir });
      const { site, fanfare } = await serving({ engine });
      const orders = overRest(site).service("orders");
      if (step === "made") await orders.create({ id: "a", n: 1 });
      else expect(await orders.find()).toMatchObject({ total: 1, data: [{ id: "a", n: 1 }] });
      await fanfare.close({ withinSeconds: 0 });
      await engine.close();
    }
  });

  test("creates of one moment are all there, and one of two with the same id", async () => {
    const { site } = await serving();
    const orders = overRest(site).service("orders");
    const made = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => orders.create({ id: index % 15 })),
    );
    expect(made.filter(({ status }) => status === "rejected")).toHaveLength(5);
    expect((await orders.find()).total).toBe(15);
  });
});

describe("grants", () => {
  const secrets = ["the-secret-of-the-tests-0123456789-0123"];

  test("create wants publish, changes want patch, and reading wants history", async () => {
    const { site, fanfare } = await serving({
      access: "granted",
      tokens: { secrets },
      apiKeys: ["key-of-the-server-0123456789"],
    });
    const server = overRest(site, "key-of-the-server-0123456789").service("orders");
    for (const id of ["mine", "theirs"]) await server.create({ id });
    const { token } = await fanfare.token({
      user: "alice",
      grants: [
        { channels: "orders", actions: ["history"] },
        { channels: "orders:mine", actions: ["history", "patch", "subscribe"] },
      ],
    });
    for (const orders of [
      overRest(site, token).service("orders"),
      (await onSocket(site, { auth: { token } })).app.service("orders"),
    ]) {
      expect(await orders.find()).toMatchObject({ total: 1, data: [{ id: "mine" }] });
      expect(await orders.patch("mine", { n: 1 })).toMatchObject({ n: 1 });
      for (const call of [
        () => orders.get("theirs"),
        () => orders.patch("theirs", {}),
        () => orders.remove("theirs"),
        () => orders.create({}),
      ]) {
        await expect(call()).rejects.toMatchObject({ name: "Forbidden", data: { code: "forbidden" } });
      }
    }
    await expect(overRest(site).service("orders").find()).rejects.toMatchObject({ name: "NotAuthenticated" });
  });

  test("by itself a client hears only the services that it may hear", async () => {
    const { site, fanfare } = await serving({ access: "granted", tokens: { secrets } });
    const { token } = await fanfare.token({
      user: "alice",
      grants: [{ channels: "news", actions: ["subscribe"] }],
    });
    const page = await onSocket(site, { auth: { token, channels: ["news", "orders"] } });
    expect((await page.heard.nextThat(({ event }) => event === "refused")).args[0]).toMatchObject({
      event: "subscribe",
      error: { name: "Forbidden" },
    });
    const quiet = await onSocket(site, { auth: { token } });
    await fanfare.publish("orders", {}, { event: "created" });
    expect(await ask(quiet, "subscribe", "news")).toMatchObject({ channel: "news" });
    expect(quiet.heard.size).toBe(0);
  });
});

describe("REST", () => {
  const call = async (url: string, init: RequestInit = {}) => {
    const answer = await fetch(url, init);
    return {
      status: answer.status,
      headers: answer.headers,
      body: (await answer.json()) as { name: string; data: { code: string } },
    };
  };

  test("what cannot be is answered as Feathers answers, with the right status", async () => {
    const { site } = await serving();
    expect(await call(`${site}/orders/a/b`)).toMatchObject({ status: 404, body: { name: "NotFound" } });
    const many = await call(`${site}/orders`, { method: "DELETE" });
    expect(many).toMatchObject({ status: 405, body: { name: "MethodNotAllowed" } });
    expect(many.headers.get("allow")).toContain("GET");
    const custom = { method: "POST", headers: { "X-Service-Method": "ship" }, body: "{}" };
    expect(await call(`${site}/orders`, custom)).toMatchObject({ status: 405 });
    expect(await call(`${site}/orders`, { method: "POST", body: "{" })).toMatchObject({
      status: 400,
      body: { name: "BadRequest", data: { code: "invalid_json" } },
    });
    expect(await call(`${site}/orders?a=1&a[$gt]=2`)).toMatchObject({
      status: 400,
      body: { name: "BadRequest" },
    });
  });

  test("pages of other origins are refused, and those that are allowed may read and send JSON only", async () => {
    const { site } = await serving({ allowedOrigins: ["https://app.example.com"] });
    const from = (origin: string, init: RequestInit = {}) =>
      call(`${site}/orders`, { ...init, headers: { Origin: origin, ...init.headers } });
    expect(await from("https://evil.example.com")).toMatchObject({
      status: 403,
      body: { name: "Forbidden", data: { code: "origin_not_allowed" } },
    });
    const allowed = await from("https://app.example.com");
    expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
      200,
      "https://app.example.com",
    ]);
    const form = { method: "POST", headers: { "Content-Type": "text/plain" }, body: "{}" };
    expect(await from("https://app.example.com", form)).toMatchObject({
      status: 400,
      body: { name: "BadRequest" },
    });
  });

  test("a service without a path has none, and one may have another", async () => {
    const services = [
      { name: "orders", path: "/api/orders" },
      { name: "quiet", path: "" },
    ];
    const { site } = await serving({ socketio: { services } });
    expect(await call(`${site}/api/orders`)).toMatchObject({ status: 200 });
    expect((await fetch(`${site}/quiet`)).status).toBe(404);
    expect((await fetch(`${site}/orders`)).status).toBe(404);
  });
});
