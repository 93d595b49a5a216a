/** What searching costs others, and what it keeps. */
import { describe, expect, test, vi } from "vitest";
import { serve } from "../doors/serving.js";
import { ask } from "../doors/socketio-client.js";
import { onSocket } from "./feathers-client.js";

const RECORDS = 1000;

async function withRecords({ paginate, reads = 0 }: { paginate?: false; reads?: number } = {}) {
  const services = [{ name: "orders", multi: true, ...(paginate === false && { paginate }) }];
  const served = await serve({
    access: "open",
    rates: { publishesPerConnection: 0, readsPerConnection: reads },
    socketio: { services },
  });
  const site = `http://localhost:${served.port}`;
  const orders = (await onSocket(site, { auth: { channels: [] } })).app.service("orders");
  const records = Array.from({ length: RECORDS }, (_, id) => ({ id, text: `record ${id}`.repeat(20) }));
  await orders.create(records.slice(0, 500));
  await orders.create(records.slice(500));
  return { site, orders };
}

describe("a search", () => {
  test("lets others come between: nobody waits for 50 of them", async () => {
    const { orders, site } = await withRecords();
    const other = await onSocket(site, { auth: { channels: [] } });
    await orders.find({ query: { text: "nothing" } });
    let answered = 0;
    const searches = Array.from({ length: 50 }, async () => {
      const found = await orders.find({ query: { text: { $gt: "~" } } });
      answered++;
      return found;
    });
    for (let asked = 0; asked < 3; asked++) await ask(other, "publish", { channel: "news", data: asked });
    expect(answered).toBeLessThan(50);
    for (const found of await Promise.all(searches)) expect(found).toMatchObject({ total: 0, data: [] });
  });

  test("parses a record once for each version of it", async () => {
    const { orders } = await withRecords();
    const parse = vi.spyOn(JSON, "parse");
    const parsed = () => parse.mock.calls.filter(([text]) => text.startsWith('{"id":')).length;
    await orders.find({ query: { text: "nothing" } });
    expect(parsed()).toBeLessThanOrEqual(RECORDS);
    await orders.patch(7, { text: "something" });
    parse.mockClear();
    expect(await orders.find({ query: { text: "something" } })).toMatchObject({ total: 1 });
    expect(await orders.find({ query: { $sort: { text: -1 }, $limit: 1 } })).toMatchObject({
      total: RECORDS,
    });
    expect(parsed()).toBe(1);
  });

  test("of many that wait at once, those are refused for which nothing is left when their turn comes", async () => {
    const { orders } = await withRecords({ reads: 30 });
    const searches = await Promise.allSettled(
      Array.from({ length: 10 }, () => orders.find({ query: { text: "nothing" } })),
    );
    // Each costs 1, and 10 for its records.
    const refused = searches.slice(3).map((each) => each.status === "rejected" && each.reason.name);
    expect(refused).toEqual(Array(7).fill("TooManyRequests"));
    expect(searches.slice(0, 3).map(({ status }) => status)).toEqual(Array(3).fill("fulfilled"));
  });

  test("counts by what it compares: a long list with many conditions is no single record", async () => {
    const { orders } = await withRecords({ reads: 15 });
    await orders.create({ id: "long", list: Array.from({ length: 20_000 }, () => 1) });
    const $or = Array.from({ length: 20 }, (_, index) => ({ list: index + 2 }));
    for (const query of [{ $or }, {}]) {
      const outcome = await orders.get("long", { query }).catch(({ name }: Error) => name);
      expect(outcome).toBe("$or" in query ? "NotFound" : "TooManyRequests");
    }
  });

  test("ends when it has enough, where nobody asks for the total", async () => {
    const { orders } = await withRecords({ paginate: false });
    const parse = vi.spyOn(JSON, "parse");
    expect(await orders.find({ query: { $limit: 5, $skip: 5 } })).toHaveLength(5);
    expect(parse.mock.calls.filter(([text]) => text.startsWith('{"id":')).length).toBeLessThan(50);
  });
});
