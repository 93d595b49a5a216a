/** A page that is left says goodbye, so that the server need not wait for it to come back. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { WebSocket, WebSocketServer } from "ws";
import { TcpProxy } from "../client/proxy.js";
import { connection, expect, test } from "./fixtures.js";

const waysToLeave: Record<string, (page: Page) => Promise<unknown>> = {
  "is closed": (page) => page.close(),
  "goes to another page": (page) => page.goto("about:blank"),
  "is loaded anew": (page) => page.reload(),
};

for (const [how, leave] of Object.entries(waysToLeave)) {
  test(`a page that ${how} closes cleanly, and its session is over`, async ({ server, openProbe }) => {
    // Only the WebSocket goes through it, so it shows when that is closed on both sides.
    const proxy = await TcpProxy.to(server.port);
    const witness = await Witness.start();
    const { page, sockets } = await openProbe(`at=http://localhost:${proxy.port}/push`);
    const { session } = sockets.received[0] ?? {};
    await page.evaluate(`Fanfare.createClient({ url: "${witness.url}" }).connect()`);
    await witness.greeted;

    // What is loaded anew would connect again.
    proxy.refuse();
    await leave(page);

    expect([1000, 1001]).toContain(await witness.closeCode);
    await expect.poll(() => proxy.links).toBe(0);
    expect(await resume(server.port, session)).toMatchObject({ type: "connected", resumed: false });
    await witness.close();
    await proxy.close();
  });
}

test("the session of a page that is still there goes on for whoever has its secret, and the page stands back", async ({
  server,
  openProbe,
}) => {
  const { page, sockets } = await openProbe();
  const { session } = sockets.received[0] ?? {};
  expect(await resume(server.port, session)).toMatchObject({ type: "connected", resumed: true });
  await expect(connection(page)).toHaveText("closed");
});

/** Connects with a session's secret; answers with the server's `connected`. */
async function resume(port: number, session: string | undefined): Promise<unknown> {
  expect(session).toMatch(/^[\w-]{22}$/);
  const socket = new WebSocket(`ws://localhost:${port}/push`, "fanfare.v1");
  await once(socket, "open");
  const answer = once(socket, "message");
  socket.send(JSON.stringify({ type: "connect", session }));
  const [text] = await answer;
  socket.terminate();
  return JSON.parse(String(text));
}

/** A server that takes one client, and sees how it leaves. */
class Witness {
  readonly #server: WebSocketServer;
  /** The client has said `connect`. */
  readonly greeted: Promise<unknown>;
  readonly closeCode: Promise<number>;

  static async start(): Promise<Witness> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(server, "listening");
    return new Witness(server);
  }

  private constructor(server: WebSocketServer) {
    this.#server = server;
    const client = new Promise<WebSocket>((resolve) => server.once("connection", resolve));
    this.greeted = client.then((socket) => once(socket, "message"));
    this.closeCode = client.then((socket) => new Promise((resolve) => socket.once("close", resolve)));
  }

  get url(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    this.#server.close();
    await once(this.#server, "close");
  }
}
