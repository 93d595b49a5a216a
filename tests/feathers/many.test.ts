/** Calls for many records, conditions of calls for one, and what callers are answered who may not read. */
import type { Application } from "@feathersjs/feathers";
import { describe, expect, test } from "vitest";
import type { ServiceOptions } from "../../packages/server/src/feathers/service-options.js";
import type { FanfareOptions } from "../../packages/server/src/library/options.js";
import { serve } from "../doors/serving.js";
import { onSocket, overRest } from "./feathers-client.js";

const SECRETS = ["the-secret-of-the-tests-0123456789-0123"];
const KEY = "key-of-the-server-0123456789";

async function serving(service: Partial<ServiceOptions> = {}, options: FanfareOptions = {}) {
  const services = [{ name: "orders", ...service }];
  const served = await serve({ access: "open", socketio: { services }, ...options });
  return { ...served, site: `http://localhost:${served.port}` };
}

const withUsers = { access: "granted", tokens: { secrets: SECRETS }, apiKeys: [KEY] } as const;

describe.each(["Socket.IO", "REST"])("over %s", (transport) => {
  const on = async (site: string, token?: string): Promise<Application> => {
    if (transport === "REST") return overRest(site, token);
    return (await onSocket(site, token === undefined ? {} : { auth: { token } })).app;
  };

  test("many records are made, patched and removed with one call each, where the service says so", async () => {
    const { site } = await serving({ multi: true });
    const orders = (await on(site)).service("orders");
    const lines = [1, 2, 3, 4].map((id) => ({ id, odd: id % 2 === 1 }));
    expect(await orders.create(lines)).toEqual(lines);
    expect(await orders.patch(null, { seen: true }, { query: { odd: true, $select: ["seen"] } })).toEqual([
      { id: 1, seen: true },
      { id: 3, seen: true },
    ]);
    expect(await orders.remove(null, { query: { id: { $in: [1, 2] } } })).toEqual([
      { id: 1, odd: true, seen: true },
      { id: 2, odd: false },
    ]);
    expect((await orders.find()).data).toEqual([
      { id: 3, odd: true, seen: true },
      { id: 4, odd: false },
    ]);
    expect(await orders.remove(null)).toHaveLength(2);
    expect(await orders.find()).toMatchObject({ total: 0 });
  });

  test("a service names the methods that take many; the others say what to set", async () => {
    const { site } = await serving({ multi: ["create"] });
    const orders = (await on(site)).service("orders");
    expect(await orders.create([{ id: 1 }])).toEqual([{ id: 1 }]);
    for (const [method, call] of [
      ["patch", () => orders.patch(null, {})],
      ["remove", () => orders.remove(null)],
    ] as const) {
      await expect(call()).rejects.toMatchObject({
        name: "MethodNotAllowed",
        message: `Can not ${method} multiple entries`,
        data: { remedy: expect.stringContaining(`set multi of the service orders to true or ["${method}"]`) },
      });
    }
    await expect(orders.update(null, {})).rejects.toMatchObject({ name: "BadRequest" });
    expect((await orders.find()).data).toEqual([{ id: 1 }]);
  });

  test("of many records that are to be made, one that cannot be leaves all unmade", async () => {
    const { site } = await serving({ multi: true });
    const orders = (await on(site)).service("orders");
    for (const bad of [[{ id: 1 }, { id: "a b" }], [{ id: 1 }, 7], [{ id: 1 }, []], Array(1001).fill({})]) {
      await expect(orders.create(bad)).rejects.toMatchObject({ name: "BadRequest" });
    }
    expect(await orders.find()).toMatchObject({ total: 0 });
  });

  test("a page or an order is refused where it would be ignored, so that nothing more is changed than was meant", async () => {
    const { site } = await serving({ multi: true });
    const orders = (await on(site)).service("orders");
    await orders.create([{ id: 1 }, { id: 2 }]);
    await expect(orders.remove(null, { query: { $limit: 1 } })).rejects.toMatchObject({
      name: "BadRequest",
      message: "remove with $limit in its query",
    });
    await expect(orders.patch(1, {}, { query: { $sort: { id: 1 } } })).rejects.toMatchObject({
      name: "BadRequest",
    });
    expect(await orders.find()).toMatchObject({ total: 2 });
  });

  test("many records that have no room in the answer are not changed", async () => {
    const { site } = await serving({ multi: true });
    const orders = (await on(site)).service("orders");
    const text = "x".repeat(60_000);
    for (let id = 1; id <= 18; id++) await orders.create({ id, text });
    await expect(orders.remove(null)).rejects.toMatchObject({
      name: "BadRequest",
      data: { code: "too_large", remedy: expect.stringContaining("$select") },
    });
    expect(await orders.find({ query: { $limit: 1 } })).toMatchObject({ total: 18 });
    expect(await orders.remove(null, { query: { $select: ["id"] } })).toHaveLength(18);
  });

  test("many records are changed as far as the caller may read and change them", async () => {
    const { site, fanfare } = await serving({ multi: true }, withUsers);
    const server = overRest(site, KEY).service("orders");
    await server.create([{ id: "a" }, { id: "b" }, { id: "c" }]);
    const { token } = await fanfare.token({
      user: "alice",
      grants: [
        { channels: "orders", actions: ["history"] },
        { channels: "orders:a", actions: ["history", "patch"] },
        { channels: "orders:b", actions: ["history"] },
        { channels: "orders:c", actions: ["patch"] },
      ],
    });
    const orders = (await on(site, token)).service("orders");
    expect(await orders.patch(null, { seen: true })).toEqual([{ id: "a", seen: true }]);
    await expect(orders.create([{ id: "d" }])).rejects.toMatchObject({ name: "Forbidden" });
    expect((await server.find()).data).toEqual([{ id: "a", seen: true }, { id: "b" }, { id: "c" }]);
  });

  test("who may change a record and not read it is answered what he gave, and learns nothing by asking", async () => {
    const { site, fanfare } = await serving({}, withUsers);
    const server = overRest(site, KEY).service("orders");
    await server.create({ id: "a", secret: "the secret" });
    const { token } = await fanfare.token({
      user: "alice",
      grants: [{ channels: "orders:a", actions: ["patch"] }],
    });
    const orders = (await on(site, token)).service("orders");
    expect(await orders.patch("a", {})).toEqual({ id: "a" });
    expect(await orders.patch("a", { seen: true, old: null })).toEqual({ id: "a", seen: true });
    for (const query of [{ secret: "the secret" }, { secret: "another" }, { $or: [{ seen: true }] }]) {
      await expect(orders.patch("a", {}, { query })).rejects.toMatchObject({ name: "Forbidden" });
      await expect(orders.remove("a", { query })).rejects.toMatchObject({ name: "Forbidden" });
    }
    expect(await orders.update("a", { n: 1 }, { query: { $select: ["n"] } })).toEqual({ id: "a", n: 1 });
    await server.patch("a", { secret: "another" });
    expect(await orders.remove("a")).toEqual({ id: "a" });
    expect(await server.find()).toMatchObject({ total: 0 });
  });

  test("a condition of a call for one record holds when the record is changed", async () => {
    const { site } = await serving();
    const orders = (await on(site)).service("orders");
    await orders.create({ id: 1, taken: false });
    const take = () => orders.patch(1, { taken: true }, { query: { taken: false } });
    const outcomes = await Promise.allSettled([take(), take(), take()]);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await expect(orders.get(1, { query: { taken: false } })).rejects.toMatchObject({ name: "NotFound" });
    expect(await orders.get(1, { query: { taken: true, $select: ["id"] } })).toEqual({ id: 1 });
  });

  test("a service without pages answers with a list, and says when it has no room", async () => {
    const { site } = await serving({ paginate: false, multi: true });
    const orders = (await on(site)).service("orders");
    await orders.create([{ id: 1 }, { id: 2 }, { id: 3 }]);
    expect(await orders.find({ query: { $limit: 1, $skip: 1 } })).toEqual([{ id: 2 }]);
    expect(await orders.find({ query: { $sort: { id: -1 } } })).toEqual([{ id: 3 }, { id: 2 }, { id: 1 }]);
    const text = "x".repeat(60_000);
    for (let id = 4; id <= 21; id++) await orders.create({ id, text });
    await expect(orders.find()).rejects.toMatchObject({ name: "BadRequest", data: { code: "too_large" } });
    expect(await orders.find({ query: { $select: ["id"] } })).toHaveLength(21);
  });

  test("a service has pages of its own size", async () => {
    const { site } = await serving({ paginate: { default: 2, max: 3 }, multi: true });
    const orders = (await on(site)).service("orders");
    await orders.create([1, 2, 3, 4, 5].map((id) => ({ id })));
    expect(await orders.find()).toMatchObject({ limit: 2, total: 5, data: [{ id: 1 }, { id: 2 }] });
    expect(await orders.find({ query: { $limit: 10, $sort: { id: -1 }, $skip: 1 } })).toEqual({
      limit: 3,
      skip: 1,
      total: 5,
      data: [{ id: 4 }, { id: 3 }, { id: 2 }],
    });
  });
});
