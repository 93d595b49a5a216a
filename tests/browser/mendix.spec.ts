/** The widgets of the built package, in pages that play the part of Mendix's client, against a Fanfare that asks the app who is logged in. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Browser, test as base, expect, type Locator, type Page } from "@playwright/test";
import { createFanfare } from "fanfare";
import { MendixApp } from "./mendix-app.js";
import { count, listenToSockets, type Sockets } from "./sockets.js";

interface Window {
  readonly page: Page;
  readonly sockets: Sockets;
}

interface Fixtures {
  /** Opens a page in a browser of its own, where this user is logged in; `null` for nobody. */
  open: (user: string | null, query?: string) => Promise<Window>;
}

const test = base.extend<Fixtures, { app: MendixApp }>({
  app: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from it what the fixture needs
    async ({}, use) => {
      const app = await MendixApp.start();
      await use(app);
      await app.stop();
    },
    { scope: "worker" },
  ],

  open: async ({ app, browser }, use) => {
    const pages: Page[] = [];
    await use(async (user, query = "") => {
      const page = await openPage(browser, app);
      pages.push(page);
      if (user !== null) await page.goto(`${app.url}/login?user=${user}`);
      const sockets = listenToSockets(page);
      await page.goto(`${app.url}/?${query}`);
      return { page, sockets };
    });
    await Promise.all(pages.map((page) => page.context().close()));
  },
});

test.describe.configure({ mode: "default" });

async function openPage(browser: Browser, app: MendixApp): Promise<Page> {
  const context = await browser.newContext({ baseURL: app.url, viewport: { width: 560, height: 640 } });
  return context.newPage();
}

const status = (page: Page): Locator => page.locator("h1 [data-fanfare]");
const runs = (page: Page): Locator => page.locator("#runs li");

async function isLive(page: Page): Promise<void> {
  await expect(status(page)).toHaveAttribute("data-fanfare", "live");
}

const MESSAGE = {
  Text1: "Packing the parcels",
  Progress: 64,
  Busy: true,
  Value: 1234.5,
  Datetime: Date.UTC(2026, 0, 31, 12),
  customer: "Ada Lovelace",
};

test("a microflow's call sets the attributes and runs the actions in all windows on that object, and in no other", async ({
  app,
  open,
}, { outputDir }) => {
  const [first, second, other] = [await open("alice"), await open("bob"), await open("carol", "object=2")];
  for (const { page } of [first, second, other]) await isLive(page);
  await first.page.screenshot({ path: `${outputDir}/mendix-first.png` });

  await app.publish("object:1", "progress", MESSAGE);
  for (const { page } of [first, second]) {
    await expect(page.locator("#text1")).toHaveText("Packing the parcels");
    await expect(page.locator("#progress")).toHaveText("64 %");
    await expect(page.locator("#busy")).toHaveText("yes");
    await expect(page.locator("#value")).toHaveText("1234.50");
    await expect(page.locator("#datetime")).toHaveText("2026-01-31T12:00:00.000Z");
    await expect(page.locator("#customer")).toHaveText("Ada Lovelace");
    const variables = { event: "progress", payload: JSON.stringify(MESSAGE), offset: "1" };
    await expect(runs(page)).toHaveText(["On subscribed", `On receive update ${JSON.stringify(variables)}`]);
  }

  await app.publish("object:1", "finished", { Progress: 100, Busy: false });
  for (const { page } of [first, second]) {
    await expect(page.locator("#progress")).toHaveText("100 %");
    await expect(page.locator("#busy")).toHaveText("no");
    await expect(page.locator("#text1")).toHaveText("Packing the parcels");
    await expect(runs(page)).toHaveCount(4);
    await expect(runs(page).nth(2)).toHaveText(/^finished {"event":"finished"/);
    await expect(runs(page).nth(3)).toHaveText(/^On receive update {"event":"finished"/);
  }

  await app.publish("broadcast", "announced", "Down in 1 hour for maintenance");
  for (const { page } of [first, second, other]) {
    await expect(page.locator("#announcement")).toHaveText("Down in 1 hour for maintenance");
  }
  await first.page.screenshot({ path: `${outputDir}/mendix-updated.png` });
  // What came to the first object would have been here before the announcement.
  await expect(other.page.locator("#progress")).toHaveText("0 %");
  await expect(runs(other.page)).toHaveCount(2);
});

test("both widgets of a page share one connection", async ({ open }) => {
  const { page, sockets } = await open("alice");
  await isLive(page);
  expect(sockets.opened).toBe(1);
  expect(count(sockets.sent, "connect")).toBe(1);
  await expect.poll(() => count(sockets.received, "subscribed")).toBe(2);
});

test("a widget goes along when its object is swapped, on the same connection", async ({ app, open }) => {
  const { page, sockets } = await open("alice", "object=11");
  await isLive(page);
  await page.locator("#next").click();
  await expect(page.locator("h1")).toContainText("Order 12");
  await isLive(page);
  await app.publish("object:11", "progress", { Text1: "for the first" });
  await app.publish("object:12", "progress", { Text1: "for the second" });
  await expect(page.locator("#text1")).toHaveText("for the second");
  expect(sockets.opened).toBe(1);
});

test("all windows on an object show who has it open", async ({ open }) => {
  const [first, second] = [await open("alice", "object=61"), await open("bob", "object=61")];
  for (const { page } of [first, second]) await expect(page.locator("#present")).toHaveText("2: alice, bob");
});

test("who leaves the page closes the connection, and On leave runs", async ({ app, open }) => {
  const { page } = await open("alice", "object=21");
  await isLive(page);
  await expect.poll(() => app.connections()).toBe(1);
  await page.locator("#leave").click();
  await expect(runs(page)).toHaveText(["On subscribed", "On leave"]);
  await expect.poll(() => app.connections()).toBe(0);
});

test("who is not logged in is refused, and is told so", async ({ app, open }) => {
  const { page } = await open(null);
  await expect(status(page)).toHaveAttribute("data-fanfare", "refused");
  await expect(runs(page)).toHaveText([/^On refused {"code":"/]);
  await app.publish("object:1", "progress", MESSAGE);
  await expect(page.locator("#progress")).toHaveText("0 %");
});

test("who logs out hears nothing any more, and is told so", async ({ app, open }) => {
  const { page } = await open("dora");
  await isLive(page);
  await page.evaluate(() => fetch("/logout", { method: "POST" }));
  await expect(status(page)).toHaveAttribute("data-fanfare", "refused");
  await expect(runs(page)).toHaveText([/./, /^On connection lost/, /^On refused {"code":"4401"/]);
  await app.publish("object:1", "progress", MESSAGE);
  await expect(page.locator("#progress")).toHaveText("0 %");
});

test("a server that is away when the page loads is found when it comes", async ({ app, open }) => {
  const port = await freePort();
  const { page } = await open("alice", `object=31&server=http://localhost:${port}/push`);
  await expect(status(page)).toHaveAttribute("data-fanfare", "lost");
  await expect(runs(page)).toHaveText([/^On connection lost {"reason":"/]);
  const late = createServer();
  late.listen(port, "localhost");
  await once(late, "listening");
  const fanfare = createFanfare({ access: "open", allowedOrigins: [app.url] });
  fanfare.attach(late);
  await isLive(page);
  await fanfare.publish("object:31", { Text1: "at last" });
  await expect(page.locator("#text1")).toHaveText("at last");
  await fanfare.close({ withinSeconds: 0.1 });
  await closed(late);
});

/** Runs a JavaScript action in a page, as a nanoflow does; answers with what it returns, as text, or its error. */
function act(page: Page, name: string, ...parameters: (string | number | undefined)[]): Promise<string> {
  return page.evaluate(
    async ([action, ...given]) => {
      const module = await import(`/actions/${action}.js`);
      return module[String(action)](undefined, ...given).then(String, String);
    },
    [name, ...parameters] as const,
  );
}

test("JavaScript actions publish, take numbers, lock and unlock as the user of the session", async ({
  open,
}) => {
  const [alice, bob] = [(await open("alice", "object=41")).page, (await open("bob", "object=41")).page];
  for (const page of [alice, bob]) await isLive(page);
  expect(await act(alice, "FanfarePublish", "object:41", "progress", '{"Text1": "from Alice"}')).toBe("1");
  for (const page of [alice, bob]) await expect(page.locator("#text1")).toHaveText("from Alice");

  expect(await act(alice, "FanfareNextNumber", "object:41")).toBe("1");
  expect(await act(bob, "FanfareNextNumber", "object:41")).toBe("2");

  const token = await act(alice, "FanfareLock", "object:41", 30, undefined);
  expect(await act(bob, "FanfareLock", "object:41", 30, undefined)).toBe("undefined");
  expect(await act(alice, "FanfareLock", "object:41", 30, Number(token))).toBe(token);
  expect(await act(alice, "FanfareUnlock", "object:41", Number(token))).toBe("true");
  expect(await act(alice, "FanfareUnlock", "object:41", Number(token))).toBe("false");
  expect(Number(await act(bob, "FanfareLock", "object:41", 30, undefined))).toBeGreaterThan(Number(token));

  expect(await act(alice, "FanfarePublish", "broadcast", "announced", '"no"')).toContain(
    "Fanfare answered 403",
  );
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await closed(server);
  return port;
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
