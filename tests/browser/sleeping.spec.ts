/** Tabs that are hidden, frozen, or put away: they stay connected where they can, and catch up where they could not. */
import type { Page } from "@playwright/test";
import { TcpProxy } from "../client/proxy.js";
import { test as base, connection, expect, numbers, probe, told } from "./fixtures.js";
import { type OwnBrowser, startOwnBrowser } from "./own-browser.js";
import { count, listenToSockets } from "./sockets.js";

const test = base.extend<{ tab: Page }, { ownBrowser: OwnBrowser }>({
  ownBrowser: [
    async ({ launchOptions }, use) => {
      const browser = await startOwnBrowser(launchOptions);
      await use(browser);
      await browser.close();
    },
    { scope: "worker" },
  ],
  tab: async ({ ownBrowser }, use) => {
    const tab = await ownBrowser.context.newPage();
    await use(tab);
    await tab.close();
  },
});

const visibility = (page: Page) => page.evaluate(() => document.visibilityState);

test("a tab whose timers come once a minute for 10 minutes keeps its connection", async ({
  server,
  ownChannel,
  page,
}) => {
  await page.clock.install();
  const sockets = listenToSockets(page);
  await page.goto(`${server.url}${probe(ownChannel)}`);
  await expect(connection(page)).toHaveText("listening");
  for (let minute = 1; minute <= 10; minute++) {
    // Each timer that is due fires once, late, as in a tab that has been hidden for long.
    await page.clock.fastForward(60_000);
    await expect.poll(() => count(sockets.received, "pong"), { intervals: [0, 10] }).toBe(minute);
    await server.publish(ownChannel, minute);
  }
  await expect(told(page)).toHaveText(numbers(1, 10));
  await expect(connection(page)).toHaveText("listening");
  expect(sockets.opened).toBe(1);
});

test("a tab that sleeps while the answer to its ping is on the way keeps its connection", async ({
  server,
  ownChannel,
  page,
}) => {
  const proxy = await TcpProxy.to(server.port);
  await page.clock.install();
  const sockets = listenToSockets(page);
  await page.goto(`http://localhost:${proxy.port}${probe(ownChannel)}`);
  await expect(connection(page)).toHaveText("listening");
  proxy.stall();
  // It wakes, asks, sleeps again, and wakes without having heard: then it asks once more before it judges.
  await page.clock.fastForward(60_000);
  await page.clock.fastForward(60_000);
  await expect.poll(() => count(sockets.sent, "ping")).toBe(2);
  proxy.heal();
  await expect.poll(() => count(sockets.received, "pong")).toBe(2);
  await server.publish(ownChannel, 1);
  await expect(told(page)).toHaveText(["1"]);
  expect(sockets.opened).toBe(1);
  await proxy.close();
});

test.describe("in a browser as on a desk", () => {
  // One after the other, in one browser.
  test.describe.configure({ mode: "default" });

  test("a hidden tab hears everything, and asks after the server when it is shown again", async ({
    server,
    ownChannel,
    tab,
    ownBrowser,
  }) => {
    const sockets = listenToSockets(tab);
    await tab.goto(`${server.url}${probe(ownChannel)}`);
    await expect(connection(tab)).toHaveText("listening");
    const front = await ownBrowser.context.newPage();
    await front.bringToFront();
    await expect.poll(() => visibility(tab)).toBe("hidden");
    await server.publishAll(ownChannel, [1, 2, 3]);
    await expect(told(tab)).toHaveText(["1", "2", "3"]);
    await tab.bringToFront();
    await expect.poll(() => count(sockets.received, "pong")).toBe(1);
    await expect(connection(tab)).toHaveText("listening");
    expect(sockets.opened).toBe(1);
    await front.close();
  });

  test("a frozen tab that is woken gets everything, in order and once", async ({
    server,
    ownChannel,
    tab,
  }) => {
    await tab.goto(`${server.url}${probe(ownChannel)}`);
    await expect(connection(tab)).toHaveText("listening");
    await server.publish(ownChannel, 1);
    await expect(told(tab)).toHaveText(["1"]);
    await tab.evaluate(() => {
      document.addEventListener("freeze", () => {
        document.title = "frozen";
      });
    });
    const cdp = await tab.context().newCDPSession(tab);
    await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
    await expect(tab).toHaveTitle("frozen");
    await server.publishAll(ownChannel, numbers(2, 20));
    await expect(told(tab)).toHaveText(["1"]);

    await cdp.send("Page.setWebLifecycleState", { state: "active" });
    await tab.bringToFront();
    await server.publish(ownChannel, 21);
    await expect(told(tab)).toHaveText(numbers(1, 21));
    await expect(connection(tab)).toHaveText("listening");
  });

  test("a page that comes out of the back-forward cache gets everything, in order and once", async ({
    server,
    ownChannel,
    tab,
  }) => {
    await tab.goto(`${server.url}${probe(ownChannel)}`);
    await expect(connection(tab)).toHaveText("listening");
    await server.publish(ownChannel, 1);
    await expect(told(tab)).toHaveText(["1"]);
    await tab.evaluate(() => {
      addEventListener("pageshow", ({ persisted }) => {
        document.title = persisted ? "from the cache" : "loaded";
      });
    });

    await tab.goto(`${server.url}/push/health`);
    await server.publishAll(ownChannel, numbers(2, 20));
    await tab.goBack({ waitUntil: "commit" });

    await expect(tab).toHaveTitle("from the cache");
    await server.publish(ownChannel, 21);
    await expect(told(tab)).toHaveText(numbers(1, 21));
    await expect(connection(tab)).toHaveText("listening");
  });
});
