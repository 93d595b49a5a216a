/** The known recipe with the clients that people have, unchanged: an application posts an id, and the pages that show that object refresh. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { type Browser, test as base, expect, type Page } from "@playwright/test";
import { createFanfare, type FanfareOptions } from "fanfare";

const FEATHERS = readFileSync(createRequire(import.meta.url).resolve("@feathersjs/client/dist/feathers.js"));

/** What each page begins with: the object that it shows, and how often it was refreshed. */
const SHOWING = `
  const shownObject = location.hash.slice(1);
  let refreshes = 0;
  const refresh = () => { document.getElementById("refreshes").textContent = ++refreshes; };
  const ready = () => { document.title = "ready"; };`;

const PAGES: Record<string, string> = {
  "/socket.io.html": `
    const socket = io({ transports: ["websocket"] });
    socket.on("microflow created", ({ text }) => { if (text === shownObject) refresh(); });
    socket.on("connect", ready);`,
  "/feathers.html": `
    const app = feathers();
    app.configure(feathers.socketio(io()));
    app.service("microflow").on("created", ({ text }) => { if (text === shownObject) refresh(); });
    app.service("microflow").find().catch(() => {}).then(ready);`,
  "/named.html": `
    const socket = io();
    socket.on("connect", async () => {
      await socket.emitWithAck("subscribe", "microflow:" + shownObject);
      ready();
    });
    socket.onAny(() => refresh());`,
};

interface Served {
  readonly site: string;
  /** What the application does at the end of what it did. */
  readonly post: (body: object) => Promise<void>;
}

const test = base.extend<{ socketio: NonNullable<FanfareOptions["socketio"]>; served: Served }>({
  socketio: [{ services: ["microflow"] }, { option: true }],
  served: async ({ socketio }, use) => {
    const server = createServer((request, response) => {
      const script = PAGES[request.url ?? ""];
      if (request.url === "/feathers.js")
        response.writeHead(200, { "Content-Type": "text/javascript" }).end(FEATHERS);
      else if (script === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "Content-Type": "text/html" }).end(pageWith(script));
    });
    const fanfare = createFanfare({ access: "open", socketio });
    fanfare.attach(server);
    server.listen(0, "localhost");
    await once(server, "listening");
    const site = `http://localhost:${(server.address() as AddressInfo).port}`;
    await use({
      site,
      async post(body) {
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch(`${site}/microflow`, {
          method: "POST",
          headers,
          body: JSON.stringify(body),
        });
        if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
      },
    });
    await fanfare.close({ withinSeconds: 0 });
    server.closeAllConnections();
    server.close();
  },
});

function pageWith(script: string): string {
  return `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>…</title><p id="refreshes">0</p>
    <script src="/socket.io/socket.io.js"></script><script src="/feathers.js"></script>
    <script>${SHOWING}${script}</script>`;
}

async function windows(browser: Browser, { site }: Served, path: string): Promise<[Page, Page]> {
  const open = async (object: string) => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${site}${path}#${object}`);
    await expect(page).toHaveTitle("ready");
    return page;
  };
  return [await open("281474976710657"), await open("281474976710658")];
}

const refreshes = (page: Page) => page.locator("#refreshes");

for (const path of ["/socket.io.html", "/feathers.html"]) {
  test(`${path}: of two windows, the one that shows the object refreshes`, async ({ browser, served }) => {
    const [one, other] = await windows(browser, served, path);
    await served.post({ text: "281474976710657" });
    await served.post({ text: "281474976710657" });
    await served.post({ text: "281474976710658" });
    await expect(refreshes(other)).toHaveText("1");
    await expect(refreshes(one)).toHaveText("2");
  });
}

test.describe("one channel per object", () => {
  test.use({ socketio: { services: [{ name: "microflow", records: 0, join: "named" }] } });

  test("a window is told of its own object, and of nothing else", async ({ browser, served }) => {
    const [one, other] = await windows(browser, served, "/named.html");
    await served.post({ id: "281474976710657" });
    await served.post({ text: "for nobody" });
    await served.post({ id: "281474976710658" });
    await served.post({ id: "281474976710658" });
    await expect(refreshes(other)).toHaveText("2");
    await expect(refreshes(one)).toHaveText("1");
  });
});
