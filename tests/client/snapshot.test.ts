/** A page loads data and listens: what changes in between is in what it shows, whatever the order of things. */
import { afterEach, expect, test } from "vitest";
import type { Position } from "../../packages/client/src/index.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, eventually, inState, Recorder, type RunningServer, serve, urlOf } from "./world.js";

interface Order {
  readonly id: number;
  readonly status: string;
}

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** An application with a table of orders, which publishes every change after it was made. */
async function application(...args: Parameters<typeof serve>) {
  const running = await serve(...args);
  cleanUps.push(() => running.close());
  const orders = new Map<number, string>();
  return {
    running,
    load: (): Order[] => [...orders].map(([id, status]) => ({ id, status })),
    async change(id: number, status: string) {
      orders.set(id, status);
      await running.fanfare.publish("orders", { id, status });
    },
  };
}

/** What a page shows. */
function shownPage(url: string) {
  const client = clientOf(url, { random: () => 0 });
  cleanUps.push(() => client.close());
  const rows = new Map<number, string>();
  const changes = new Recorder<Order>();
  return {
    client,
    changes,
    shown: () => [...rows].map(([id, status]) => ({ id, status })),
    show(orders: readonly Order[]) {
      rows.clear();
      for (const { id, status } of orders) rows.set(id, status);
    },
    apply(order: Order) {
      rows.set(order.id, order.status);
      changes.add(order);
    },
  };
}

/** When everything that was published has come through. */
async function inStep({ fanfare }: RunningServer, reached: () => Position | null): Promise<void> {
  const { offset } = await fanfare.position("orders");
  await eventually(() => (reached()?.offset ?? -1) >= offset, "the head is to be reached");
}

test("a change between loading and subscribing is lost without either way, which is why they exist", async () => {
  const { running, load, change } = await application();
  await change(1, "open");
  const page = shownPage(running.url);
  page.show(load());
  await change(1, "paid");
  const subscription = page.client.subscribe<Order>("orders", ({ data }) => page.apply(data));
  await inStep(running, () => subscription.position);
  expect(page.shown()).toEqual([{ id: 1, status: "open" }]);
});

test("a page that the server renders carries the position read before the data", async () => {
  const { running, load, change } = await application();
  await change(1, "open");
  const since = await running.fanfare.position("orders");
  const rendered = load();
  await change(1, "paid");
  await change(2, "open");
  const page = shownPage(running.url);
  page.show(rendered);
  const subscription = page.client.subscribe<Order>("orders", ({ data }) => page.apply(data), { since });
  await inStep(running, () => subscription.position);
  expect(page.shown()).toEqual(load());
  expect(page.changes.items).toHaveLength(2);
});

test("a page that loads by itself misses nothing that happens while it loads", async () => {
  const { running, load, change } = await application();
  await change(1, "open");
  const page = shownPage(running.url);
  const subscription = page.client.subscribe<Order>("orders", ({ data }) => page.apply(data), {
    async snapshot() {
      const orders = load();
      // After the data was read, before it is shown.
      await change(1, "paid");
      await change(2, "open");
      page.show(orders);
    },
  });
  await page.changes.atLeast(2);
  await inStep(running, () => subscription.position);
  expect(page.shown()).toEqual([
    { id: 1, status: "paid" },
    { id: 2, status: "open" },
  ]);
});

test("what could not be recovered is loaded again", async () => {
  const { running, load, change } = await application({ rules: [{ channels: "orders", history: 2 }] });
  const proxy = await TcpProxy.to(running.port);
  cleanUps.push(() => proxy.close());
  const page = shownPage(urlOf(proxy.port));
  const loads = new Recorder<number>();
  const gaps = new Recorder<string>();
  const subscription = page.client.subscribe<Order>("orders", ({ data }) => page.apply(data), {
    onGap: ({ reason }) => gaps.add(reason),
    async snapshot() {
      page.show(load());
      loads.add(loads.items.length);
    },
  });
  await loads.atLeast(1);
  proxy.cut();
  await inState(page.client, "reconnecting");
  for (let id = 1; id <= 5; id++) await change(id, "open");
  await loads.atLeast(2);
  await inStep(running, () => subscription.position);
  expect(gaps.items).toEqual(["evicted"]);
  expect(page.shown()).toEqual(load());
});
