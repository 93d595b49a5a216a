/** `examples/login`: whoever is logged in to an application hears, and nobody else does; with the built command beside it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test as base, expect, type Page } from "@playwright/test";

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const KEY = "the-key-of-a-test-0123456789";

interface Site {
  /** The application. */
  readonly app: string;
  /** Fanfare's own address. */
  readonly push: string;
  publish(data: string): Promise<void>;
}

const test = base.extend<object, { site: Site }>({
  site: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from it what the fixture needs
    async ({}, use) => {
      const dataDir = mkdtempSync(join(tmpdir(), "fanfare-login-"));
      // Each has to know the other's address before it starts.
      const [appPort, pushPort] = [await freePort(), await freePort()];
      const app = `http://localhost:${appPort}`;
      const push = `http://localhost:${pushPort}/push`;
      const fanfare = await start(
        [
          "packages/server/bin/fanfare.js",
          "start",
          "--config",
          fromRoot("examples/login/fanfare.config.json"),
        ],
        {
          FANFARE_PORT: String(pushPort),
          FANFARE_HOST: "localhost",
          FANFARE_DATA_DIR: dataDir,
          FANFARE_ALLOWED_ORIGINS: app,
          FANFARE_FORWARDED_SESSION_URL: `${app}/fanfare-session`,
        },
        /Fanfare is running/,
      );
      const example = await start(
        ["examples/login/server.js"],
        { PORT: String(appPort), FANFARE_URL: push },
        /http:\/\/localhost/,
      );
      await use({
        app,
        push,
        async publish(data) {
          const answer = await fetch(`${push}/channels/user:alice:news/messages`, {
            method: "POST",
            headers: { Authorization: `Bearer ${KEY}` },
            body: JSON.stringify({ data }),
          });
          expect(answer.status).toBe(201);
        },
      });
      await Promise.all([stop(fanfare), stop(example)]);
      rmSync(dataDir, { recursive: true });
    },
    { scope: "worker" },
  ],
});

test.describe.configure({ mode: "default" });

const state = (page: Page) => page.locator("#state");
const told = (page: Page) => page.locator("#told li");

async function logIn(page: Page, { app }: Site): Promise<void> {
  await page.goto(app);
  await page.locator("#login").click();
  await expect(state(page)).toHaveText("listening");
}

/** Opens another client in a page that is there, and answers with how it ended. */
function closeCode(page: Page, push: string, csrf: string | undefined): Promise<number | string> {
  return page.evaluate(
    ([url, token]) =>
      new Promise<number | string>((done) => {
        const socket = new WebSocket(String(url).replace("http", "ws"), "fanfare.v1");
        socket.onopen = () => socket.send(JSON.stringify({ type: "connect", csrf: token }));
        socket.onmessage = ({ data }) => done(JSON.parse(String(data)).type);
        socket.onclose = ({ code }) => done(code);
      }),
    [push, csrf] as const,
  );
}

test("who is logged in hears, and who is not does not", async ({ site, page, browser }) => {
  await logIn(page, site);
  const stranger = await (await browser.newContext()).newPage();
  await stranger.goto(site.app);
  await expect(state(stranger)).toHaveText("forbidden");
  await site.publish("Hello, Alice");
  await expect(told(page)).toHaveText(["Hello, Alice"]);
  await expect(told(stranger)).toHaveCount(0);
  await stranger.context().close();
});

test("the right cookie with a wrong CSRF token, or with none, is refused while the right pair is known", async ({
  site,
  page,
}) => {
  await logIn(page, site);
  expect(await closeCode(page, site.push, "wrong")).toBe(4401);
  expect(await closeCode(page, site.push, undefined)).toBe(4401);
  const right = await page.locator("meta[name=csrf]").getAttribute("content");
  expect(await closeCode(page, site.push, right ?? "")).toBe("connected");
});

test("a page of another origin neither opens a WebSocket nor writes, though the browser has the cookie", async ({
  site,
  page,
}) => {
  await logIn(page, site);
  const right = (await page.locator("meta[name=csrf]").getAttribute("content")) ?? "";
  const evil = createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>evil</title>");
  });
  evil.listen(0, "localhost");
  await once(evil, "listening");
  await page.goto(`http://localhost:${(evil.address() as AddressInfo).port}/`);
  // Cookies do not know ports: the browser sends this one along.
  expect((await page.context().cookies(site.push)).map(({ name }) => name)).toEqual(["session"]);
  expect(await closeCode(page, site.push, right)).toBe(1006);
  const written = await page.evaluate(
    ([url, csrf]) =>
      fetch(`${url}/channels/user:alice:news/messages`, {
        method: "POST",
        credentials: "include",
        headers: { "Content-Type": "application/json", "X-Csrf-Token": String(csrf) },
        body: '{"data": "forged"}',
      }).then(
        () => "answered",
        () => "kept away",
      ),
    [site.push, right] as const,
  );
  expect(written).toBe("kept away");
  const history = await fetch(`${site.push}/channels/user:alice:news/messages`, {
    headers: { Authorization: `Bearer ${KEY}` },
  });
  expect(await history.text()).not.toContain("forged");
  evil.closeAllConnections();
  evil.close();
});

test("who logs out hears nothing any more, in any window", async ({ site, page }) => {
  await logIn(page, site);
  const other = await page.context().newPage();
  await other.goto(site.app);
  await expect(state(other)).toHaveText("listening");
  await other.locator("#logout").click();
  await expect(state(page)).toHaveText("closed");
  await site.publish("after the log-out");
  await expect(state(other)).not.toHaveText("listening");
  await expect(told(page)).toHaveCount(0);
});

async function freePort(): Promise<number> {
  const server = createTcpServer();
  server.listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function start(
  args: readonly string[],
  env: Record<string, string>,
  ready: RegExp,
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [...args], {
    cwd: fromRoot(""),
    env: { ...process.env, FANFARE_API_KEY: KEY, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // Should the worker of the tests end early, so does this.
  const killed = () => void child.kill("SIGKILL");
  process.once("exit", killed);
  child.once("exit", () => process.removeListener("exit", killed));
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (text) => {
      said += String(text);
    });
    child.stdout?.on("data", (text) => ready.test(String(text)) && resolve());
    child.once("exit", (code) => reject(new Error(`${args[0]} ended with ${code}: ${said}`)));
  });
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}
