/** What each browser test gets: a server, windows that are watched, and the probe page, which shows what it is told. */
import { randomUUID } from "node:crypto";
import {
  type BrowserContext,
  type BrowserContextOptions,
  test as base,
  expect,
  type Locator,
  type Page,
} from "@playwright/test";
import { DevServer, type Pages } from "./dev-server.js";
import { listenToSockets, type Sockets } from "./sockets.js";

export { expect };

/** What went wrong in the windows of a test. */
interface Trouble {
  /** What stands in the consoles, and errors that nobody caught. */
  readonly errors: string[];
  /** Requests to other servers than the test's own. */
  readonly elsewhere: string[];
}

export interface Window {
  readonly page: Page;
  readonly sockets: Sockets;
}

interface Fixtures {
  /** What a server of the test's own serves at `/`; `null` takes the one that tests share. Set by `test.use`. */
  ownServer: Pages | null;
  server: DevServer;
  /** A channel that no other test uses. */
  ownChannel: string;
  trouble: Trouble;
  /** Opens a window that shares nothing with the others. */
  openWindow: (path: string, options?: BrowserContextOptions) => Promise<Window>;
  /** Opens the probe page, and waits until it listens; see `probe.html` for what may stand in the query. */
  openProbe: (query?: string) => Promise<Window>;
}

export const test = base.extend<Fixtures, { sharedServer: DevServer }>({
  ownServer: [null, { option: true }],

  sharedServer: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from it what the fixture needs
    async ({}, use) => {
      const server = await DevServer.start("tests");
      await use(server);
      await server.kill("SIGKILL");
    },
    { scope: "worker" },
  ],

  server: async ({ ownServer, sharedServer }, use) => {
    if (ownServer === null) {
      await use(sharedServer);
      return;
    }
    const server = await DevServer.start(ownServer);
    await use(server);
    await server.kill("SIGKILL");
  },

  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from it what the fixture needs
  ownChannel: async ({}, use) => use(`test:${randomUUID()}`),

  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from it what the fixture needs
  trouble: async ({}, use) => use({ errors: [], elsewhere: [] }),

  context: async ({ context }, use) => {
    await context.addInitScript(beQuick);
    await use(context);
  },

  openWindow: async ({ browser, server, trouble }, use) => {
    const contexts: BrowserContext[] = [];
    await use(async (path, options = {}) => {
      const context = await browser.newContext({ baseURL: server.url, ...options });
      contexts.push(context);
      await context.addInitScript(beQuick);
      const page = await context.newPage();
      watch(page, server.url, trouble);
      const sockets = listenToSockets(page);
      await page.goto(path);
      return { page, sockets };
    });
    await Promise.all(contexts.map((context) => context.close()));
  },

  openProbe: ({ openWindow, ownChannel }, use) =>
    use(async (query = "") => {
      const window = await openWindow(probe(ownChannel, query));
      if (!new URLSearchParams(query).has("later"))
        await expect(connection(window.page)).toHaveText("listening");
      return window;
    }),
});

/** Clients wait a random part of a time before they try again. In these pages it is a small part. */
function beQuick(): void {
  const { random } = Math;
  Math.random = () => random() / 20;
}

function watch(page: Page, site: string, { errors, elsewhere }: Trouble): void {
  const sites = [`${site}/`, `${site.replace("http", "ws")}/`];
  const lookAt = (url: string) => {
    if (!url.startsWith("data:") && !sites.some((ours) => url.startsWith(ours))) elsewhere.push(url);
  };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => lookAt(request.url()));
  page.on("websocket", (socket) => lookAt(socket.url()));
}

/** The path of the probe page that listens to a channel. */
export function probe(channel: string, query = ""): string {
  return `/probe.html?channel=${channel}&${query}`;
}

/** The probe page's lines: messages, gaps and loads, in the order in which the client told of them. */
export const told = (page: Page): Locator => page.locator("#told li");

/** What the probe page's connection is doing; `listening` when the channel is subscribed. */
export const connection = (page: Page): Locator => page.locator("#state");

/** The numbers from one to another, both included, as the probe page shows them. */
export function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}
