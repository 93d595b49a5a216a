import { expect, test } from "vitest";
import { Client } from "../library/client.js";
import { historyOf, post, problemOf } from "../library/serve.js";
import { Example, Listener } from "./example.js";

const json = { "Content-Type": "application/json" };

// One start for all of it: on a busy machine that is what takes the time.
const files = [
  ...["node-http.js", "express.js", "fastify.js", "hono.js", "koa.js", "nest.js", "two-fanfares.js"],
  "cluster.js",
];

test.each(files)(
  "%s serves its page, publishes what its own route does, keeps others out, and says goodbye when it stops",
  async (file) => {
    const example = await Example.start(file);
    const { site } = example;
    const base = `${site}/push`;
    const messages = `${base}/channels/order:42/messages`;
    const page = await fetch(site);
    expect(page.headers.get("content-type")).toMatch(/^text\/html; charset=utf-8$/i);
    expect(await page.text()).toContain('<script src="/push/client.js"></script>');
    expect(await (await fetch(`${base}/client.js`)).text()).toContain("createClient");
    expect((await fetch(`${site}/nothing`)).status).toBe(404);

    const listener = await Listener.to(base, "order:42");
    expect((await fetch(`${site}/orders/42/pay`, { method: "POST" })).status).toBe(204);
    await listener.until("the message", () => listener.messages.length > 0);
    expect(listener.data).toEqual([{ status: "paid" }]);
    const { messages: held } = await historyOf(await fetch(messages));
    expect(held).toMatchObject([{ offset: 1, data: { status: "paid" } }]);

    // As JSON, too: that is what body parsers read.
    for (const headers of [{}, json]) {
      const refused = await post(messages, { data: "forged" }, headers);
      expect([refused.status, (await problemOf(refused)).code]).toEqual([403, "forbidden"]);
    }
    const origin = "https://evil.example";
    expect((await fetch(messages, { headers: { Origin: origin } })).status).toBe(403);
    await expect(Client.connect(base, { origin })).rejects.toThrow("403");
    const client = await Client.connect(base, { origin: site });

    const ended = example.stop();
    expect(await client.next("goodbye")).toMatchObject({ retryAfterSeconds: expect.any(Number) });
    expect(await client.closed).toBe(1012);
    expect(await ended).toBe(0);
  },
);

test("express.js reads the bodies of its own routes, and Fanfare those of its own", async () => {
  const { site } = await Example.start("express.js");
  await post(`${site}/orders/42/pay`, { note: "thank you" }, json);
  const { messages } = await historyOf(await fetch(`${site}/push/channels/order:42/messages`));
  expect(messages).toMatchObject([{ data: { status: "paid", note: "thank you" } }]);
});

test("two-fanfares.js keeps every order, and the newest price", async () => {
  const { site } = await Example.start("two-fanfares.js");
  const prices = await Listener.to(`${site}/prices`, "price:tea");
  for (let times = 1; times <= 2; times++) {
    await fetch(`${site}/trades/tea/sell`, { method: "POST" });
    await fetch(`${site}/orders/42/pay`, { method: "POST" });
  }
  await prices.until("the last price", () => prices.messages.at(-1)?.offset === 200);
  expect(prices.data.at(-1)).toEqual({ price: 100 });
  // Far fewer than 200 came, and each of the others is accounted for.
  expect(prices.messages.length).toBeLessThan(100);
  const missed = prices.gaps.map(({ from, to }) => Number(to) - Number(from) + 1);
  expect(missed.reduce((sum, some) => sum + some, prices.messages.length)).toBe(200);
  const kept = async (path: string) =>
    (await historyOf(await fetch(`${site}${path}/messages`))).messages.map(({ data }) => data);
  expect(await kept("/prices/channels/price:tea")).toEqual([{ price: 100 }]);
  expect(await kept("/push/channels/order:42")).toEqual([{ status: "paid" }, { status: "paid" }]);
  expect((await fetch(`${site}/push/channels/price:tea/messages`)).status).toBe(403);
});
