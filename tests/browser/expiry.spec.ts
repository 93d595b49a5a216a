/** A log-in that ends while the machine sleeps: the page comes back as the same user, and gets what it missed. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createFanfare, type Fanfare } from "fanfare";
import { test as base, connection, expect, numbers, told } from "./fixtures.js";
import { type OwnBrowser, startOwnBrowser } from "./own-browser.js";

const PAGE = `<!doctype html><title>awake</title><p id="state"></p><ol id="told"></ol>
<script src="/push/client.js"></script>
<script>
  const client = Fanfare.createClient({ getToken: async () => (await fetch("/token")).text() });
  const state = document.querySelector("#state");
  client.on("connection", ({ status }) => { state.textContent = status; });
  client.subscribe("user:alice:news", ({ data, user }) => {
    document.querySelector("#told").append(Object.assign(document.createElement("li"), { textContent: data }));
  }, { onSubscribed: () => { state.textContent = "listening"; } });
  document.addEventListener("freeze", () => { document.title = "frozen"; });
</script>`;

interface Site {
  readonly url: string;
  readonly fanfare: Fanfare;
  /** How many tokens the page has asked for. */
  tokens: number;
  /** How long the next token is good for. */
  tokenSeconds: number;
}

const test = base.extend<{ site: Site }, { ownBrowser: OwnBrowser }>({
  ownBrowser: [
    async ({ launchOptions }, use) => {
      const browser = await startOwnBrowser(launchOptions);
      await use(browser);
      await browser.close();
    },
    { scope: "worker" },
  ],
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from it what the fixture needs
  site: async ({}, use) => {
    const fanfare = createFanfare({
      tokens: { secrets: ["the-secret-of-a-test-0123456789abcdef"], clockSkewSeconds: 0 },
      userGrants: [{ channels: "user:{sub}:*", actions: ["subscribe", "history"] }],
    });
    const server: Server = createServer((request, response) => {
      if (request.url !== "/token") {
        response.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
        return;
      }
      site.tokens++;
      const wanted = { user: "alice", grants: [], expiresInSeconds: site.tokenSeconds };
      void fanfare.token(wanted).then(({ token }) => response.end(token));
    });
    fanfare.attach(server);
    await new Promise<void>((done) => server.listen(0, "localhost", done));
    const { port } = server.address() as AddressInfo;
    const site: Site = { url: `http://localhost:${port}`, fanfare, tokens: 0, tokenSeconds: 3 };
    await use(site);
    await fanfare.close({ withinSeconds: 0 });
    server.closeAllConnections();
    server.close();
  },
});

test("after waking, the client has a new token, rejoins and recovers what it missed", async ({
  site,
  ownBrowser,
}) => {
  const { fanfare, url } = site;
  const channel = "user:alice:news";
  const page = await ownBrowser.context.newPage();
  await page.goto(url);
  await expect(connection(page)).toHaveText("listening");
  await fanfare.publish(channel, 1);
  await expect(told(page)).toHaveText(["1"]);

  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Page.setWebLifecycleState", { state: "frozen" });
  await expect(page).toHaveTitle("frozen");
  const asked = site.tokens;
  site.tokenSeconds = 600;
  await expect.poll(() => fanfare.stats().connections, { timeout: 15_000 }).toBe(0);
  for (const data of numbers(2, 20)) await fanfare.publish(channel, data);

  await cdp.send("Page.setWebLifecycleState", { state: "active" });
  await page.bringToFront();
  await expect(told(page)).toHaveText(numbers(1, 20));
  await expect(connection(page)).toHaveText("listening");
  expect(site.tokens).toBeGreaterThan(asked);
  await page.close();
});
