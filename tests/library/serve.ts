/** HTTP servers for tests: on a free port, closed after the test. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import {
  createFanfare,
  type Fanfare,
  type FanfareOptions,
  type History,
} from "../../packages/server/src/index.js";
import { lettingAllIn } from "../../packages/server/src/testing/let-in.js";
import type { Problem } from "../../packages/server/src/wire/problem.js";
import { within } from "./within.js";

/** Listens on a free port, and answers with it. */
export async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  await within(new Promise<void>((done) => server.listen(0, host, done)), "listening");
  onTestFinished(async () => {
    const closed = new Promise((done) => server.close(done));
    server.closeAllConnections();
    await closed;
  });
  return (server.address() as AddressInfo).port;
}

/** A Fanfare that is closed after the test. */
export function make(options: FanfareOptions = {}): Fanfare {
  const fanfare = createFanfare(lettingAllIn(options));
  onTestFinished(() => fanfare.close({ withinSeconds: 0.1 }));
  return fanfare;
}

/** A Fanfare alone on a server. */
export async function serve(options: FanfareOptions = {}) {
  const fanfare = make(options);
  const server = createServer();
  fanfare.attach(server);
  const port = await listen(server);
  const base = `http://127.0.0.1:${port}${fanfare.path}`;
  return { fanfare, server, port, base, messages: `${base}/channels/a/messages` };
}

export async function problemOf(answer: Response): Promise<Problem> {
  return (await answer.json()) as Problem;
}

export async function historyOf(answer: Response): Promise<History> {
  return (await answer.json()) as History;
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const bytes = body instanceof Uint8Array ? new Uint8Array(body) : null;
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return fetch(url, { method: "POST", body: bytes ?? text, headers });
}
