/** The network goes and comes: what a window is told of what was published meanwhile. */
import { TcpProxy } from "../client/proxy.js";
import { connection, expect, numbers, probe, test, told } from "./fixtures.js";
import { count, listenToSockets } from "./sockets.js";

test.describe("the browser is offline", () => {
  test("for a while: everything follows, in order and once", async ({ server, ownChannel, openProbe }) => {
    const { page } = await openProbe();
    await server.publish(ownChannel, 1);
    await expect(told(page)).toHaveText(["1"]);

    await page.context().setOffline(true);
    await server.publishAll(ownChannel, numbers(2, 50));
    await expect(connection(page)).toHaveText("reconnecting");
    await server.publishAll(ownChannel, numbers(51, 60));
    await expect(told(page)).toHaveText(["1"]);
    await page.context().setOffline(false);

    await server.publish(ownChannel, 61);
    await expect(told(page)).toHaveText(numbers(1, 61));
    await expect(connection(page)).toHaveText("listening");
  });

  test("so shortly that the connection holds: everything follows", async ({
    server,
    ownChannel,
    openProbe,
  }) => {
    const { page, sockets } = await openProbe();
    await page.context().setOffline(true);
    await server.publishAll(ownChannel, numbers(1, 5));
    await page.context().setOffline(false);
    await server.publish(ownChannel, 6);
    await expect(told(page)).toHaveText(numbers(1, 6));
    expect(sockets.opened).toBe(1);
  });

  test("for more than the log holds: the window says which are missing", async ({
    server,
    ownChannel,
    openProbe,
  }) => {
    const { page } = await openProbe();
    await server.publish(ownChannel, 1);
    await expect(told(page)).toHaveText(["1"]);

    await page.context().setOffline(true);
    await expect(connection(page)).toHaveText("reconnecting");
    await server.publishAll(ownChannel, numbers(2, 131));
    await page.context().setOffline(false);

    await expect(told(page)).toHaveText(["1", "missing 2 to 31: evicted", ...numbers(32, 131)]);
  });
});

test.describe("what stands between page and server", () => {
  let proxy: TcpProxy;
  test.beforeEach(async ({ server }) => {
    proxy = await TcpProxy.to(server.port);
  });
  test.afterEach(() => proxy.close());

  const cuts = {
    "cuts the connection": () => proxy.cut(),
    "tells the server that the page has no more to say": () => proxy.halfClose("server"),
    "tells the page that the server has no more to say": () => proxy.halfClose("client"),
  };
  for (const [what, cut] of Object.entries(cuts)) {
    test(`${what}: everything follows, in order and once`, async ({ server, ownChannel, page }) => {
      const sockets = listenToSockets(page);
      await page.goto(`http://localhost:${proxy.port}${probe(ownChannel)}`);
      await expect(connection(page)).toHaveText("listening");
      await server.publish(ownChannel, 1);
      await expect(told(page)).toHaveText(["1"]);

      // Published while the connection goes.
      const publishing = server.publishAll(ownChannel, numbers(2, 20));
      cut();
      await publishing;
      await expect.poll(() => count(sockets.received, "connected")).toBe(2);

      await server.publish(ownChannel, 21);
      await expect(told(page)).toHaveText(numbers(1, 21));
      const [, again] = sockets.received.filter(({ type }) => type === "connected");
      expect(again).toMatchObject({ resumed: true });
    });
  }

  test("lets nobody in for a while: the window comes back when it does", async ({
    server,
    ownChannel,
    page,
  }) => {
    await page.goto(`http://localhost:${proxy.port}${probe(ownChannel)}`);
    await expect(connection(page)).toHaveText("listening");
    proxy.refuse();
    proxy.cut();
    await expect(connection(page)).toHaveText("reconnecting");
    await server.publishAll(ownChannel, numbers(1, 10));
    proxy.heal();
    await expect(told(page)).toHaveText(numbers(1, 10));
  });

  test("falls silent without a word: the page notices by itself, and everything follows", async ({
    server,
    ownChannel,
    page,
  }) => {
    await page.clock.install();
    const sockets = listenToSockets(page);
    await page.goto(`http://localhost:${proxy.port}${probe(ownChannel)}`);
    await expect(connection(page)).toHaveText("listening");
    await server.publish(ownChannel, 1);
    await expect(told(page)).toHaveText(["1"]);

    proxy.stall();
    await server.publishAll(ownChannel, numbers(2, 20));
    // After 15 seconds it asks whether the server is there, and after 15 more it gives up.
    await page.clock.runFor(16_000);
    await expect(connection(page)).toHaveText("listening");
    await page.clock.runFor(16_000);
    await expect(connection(page)).not.toHaveText("listening");
    await expect(told(page)).toHaveText(["1"]);

    proxy.heal();
    await page.clock.runFor(10_000);
    await expect(connection(page)).toHaveText("listening");
    await server.publish(ownChannel, 21);
    await expect(told(page)).toHaveText(numbers(1, 21));
    expect(sockets.opened).toBeGreaterThan(1);
  });
});
