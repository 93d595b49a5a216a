import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../packages/server/src/base/log.js";
import type { Waiting } from "../../packages/server/src/hub/delivery/budgets.js";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { SlowAnswers } from "../../packages/server/src/wire/slow-answers.js";
import { until } from "../doors/waiting.js";
import { serve } from "../library/serve.js";
import { within } from "../library/within.js";
import { RawConnection } from "./raw.js";

const MiB = 1024 * 1024;
/** A system keeps some MiB for two sockets of the same machine; of the rest one answer waits. */
const ASKED_AHEAD = 80;
const CLIENTS = 6;

/** Sends requests, and reads nothing until it is told to. */
function deafClient(port: number, request: string) {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.pause();
  socket.write(request);
  onTestFinished(() => void socket.destroy());
  return socket;
}

test("clients that ask and never read are cut off when too much waits for all of them, and others are answered", async () => {
  const warnings: object[] = [];
  const logger = { ...silentLog, warn: (fields: object) => void warnings.push(fields) };
  const { fanfare, port, messages } = await serve({
    limits: { waitingBytes: 3 * MiB },
    logger,
    anonymous: LISTEN,
  });
  for (let count = 0; count < 20; count++) await fanfare.publish("a", "x".repeat(60_000));

  const history = "GET /push/channels/a/messages?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const deaf = Array.from({ length: CLIENTS }, () => deafClient(port, history.repeat(ASKED_AHEAD)));
  const wait = () => {
    const { fullConnections, waitingBytes } = fanfare.stats();
    return fullConnections + warnings.length === CLIENTS && waitingBytes <= 3 * MiB;
  };
  await until(wait, "each of them is full or cut off");
  expect(warnings[0]).toMatchObject({ waitingBytes: expect.any(Number) });
  expect(warnings.length).toBeGreaterThanOrEqual(3);
  expect((await fetch(messages)).status).toBe(200);
  for (const socket of deaf) socket.destroy();
});

test("a client that sends a hundred requests ahead is answered in order, and one that sends more is cut off", async () => {
  const warnings: string[] = [];
  const logger = { ...silentLog, warn: (_: object, text: string) => void warnings.push(text) };
  const { port } = await serve({ logger, anonymous: LISTEN });
  const health = "GET /push/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const last = "GET /push/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const patient = new RawConnection(port);
  patient.write(health.repeat(100) + last);
  for (let count = 0; count < 100; count++) expect((await patient.response()).status).toBe(200);
  expect((await patient.response()).status).toBe(404);
  const flooding = new RawConnection(port);
  flooding.write(health.repeat(1000));
  await within(flooding.closed, "the connection is closed");
  expect(warnings).toEqual([expect.stringContaining("101 requests ahead")]);
});

test("a client that takes no byte of an answer for too long is cut off, and what waited is given back", async () => {
  const waiting = new Set<Waiting>();
  const room = {
    addAndCheck: (client: Waiting) => void waiting.add(client),
    delete: (client: Waiting) => void waiting.delete(client),
  };
  const slow = new SlowAnswers(room, silentLog, 50);
  const server = createServer(
    slow.watching((_request, response) => void response.end(Buffer.alloc(40 * MiB))),
  );
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;

  const accepted = once(server, "connection");
  const client = deafClient(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [socket] = await accepted;
  await within(once(socket, "close"), "the socket is destroyed");
  expect(waiting.size).toBe(0);
  client.destroy();
});

test("an answer that is taken leaves nothing behind, and its connection goes on", async () => {
  const { fanfare, messages } = await serve({});
  for (let count = 0; count < 20; count++) await fanfare.publish("a", "x".repeat(60_000));
  for (let count = 0; count < 5; count++) {
    const answer = await fetch(`${messages}?limit=1000`);
    expect((await answer.text()).length).toBeGreaterThan(MiB / 2);
  }
  expect(fanfare.stats()).toMatchObject({ fullConnections: 0, waitingBytes: 0 });
});

test("after a slow answer, a connection of a server without an idle timeout may be idle for as long as before", async () => {
  const room = { addAndCheck: () => {}, delete: () => {} };
  const slow = new SlowAnswers(room, silentLog, 30_000);
  const server = createServer(
    { keepAliveTimeout: 0 },
    slow.watching((_request, response) => void response.end(Buffer.alloc(40 * MiB))),
  );
  onTestFinished(() => void server.close());
  const accepted = once(server, "connection");
  const asked = once(server, "request");
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const client = deafClient(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const [socket] = await accepted;
  const [, response] = await asked;
  expect(socket.timeout).toBe(30_000);
  client.resume();
  await within(once(response, "close"), "the answer is taken");
  await new Promise<void>((done) => setImmediate(done));
  expect(socket.timeout ?? 0).toBe(0);
});
