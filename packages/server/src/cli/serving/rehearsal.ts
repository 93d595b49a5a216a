/**
 * A rehearsal of the main job before the first client comes: on a throwaway server in this process, some messages go in over
 * HTTP and out to some WebSockets. It shows that the job works here, and the first real messages find compiled code; without
 * it they wait for that, 50 ms and more when many come at once.
 */
import { Agent, createServer, request } from "node:http";
import { SUBPROTOCOL } from "@fanfare/protocol";
import { WebSocket } from "ws";
import { createFanfare } from "../../library/fanfare.js";
import { portOf } from "./http-server.js";

const CLIENTS = 20;
const MESSAGES = 300;
/** This many requests are under way at once. */
const PUBLISHERS = 8;
const CHANNEL = "rehearsal";
/** A port of this process alone, also where several serve clients on one. */
const HERE = { port: 0, host: "127.0.0.1", exclusive: true } as const;

/**
 * Takes a few hundred milliseconds.
 *
 * @throws Error when a message did not arrive
 */
export async function rehearse(): Promise<void> {
  const fanfare = createFanfare({ access: "open", loopbackOnly: true, allowIsolated: true });
  const server = createServer();
  fanfare.attach(server);
  await new Promise<void>((done, fail) => server.once("error", fail).listen(HERE, done));
  const address = `127.0.0.1:${portOf(server)}${fanfare.path}`;
  const agent = new Agent({ keepAlive: true, maxSockets: PUBLISHERS });
  try {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => subscribe(`ws://${address}`)));
    const all = Promise.all(clients.map(({ got }) => got));
    await Promise.all(Array.from({ length: MESSAGES }, () => publish(`http://${address}`, agent)));
    await all;
  } finally {
    agent.destroy();
    await fanfare.close({ withinSeconds: 1 });
    server.closeAllConnections();
    await new Promise<void>((done) => server.close(() => done()));
  }
}

async function subscribe(url: string): Promise<{ got: Promise<void> }> {
  const socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false });
  let count = 0;
  return new Promise((ready, fail) => {
    const got = new Promise<void>((done) => {
      socket.on("message", (data: Buffer) => {
        if (data.includes('"subscribed"')) ready({ got });
        else if (data.includes('"message"') && ++count === MESSAGES) {
          socket.terminate();
          done();
        }
      });
    });
    socket.on("error", fail);
    socket.on("open", () => {
      socket.send('{"type":"connect"}');
      socket.send(JSON.stringify({ type: "subscribe", request: 1, channel: CHANNEL }));
    });
  });
}

function publish(url: string, agent: Agent): Promise<void> {
  return new Promise((done, fail) => {
    const post = request(
      `${url}/channels/${CHANNEL}/messages`,
      { method: "POST", agent, headers: { "Content-Type": "application/json" } },
      (answer) => {
        answer.resume();
        if (answer.statusCode === 201) answer.on("end", done);
        else fail(new Error(`the rehearsal was answered with ${answer.statusCode}`));
      },
    );
    post.on("error", fail);
    post.end('{"data":{"rehearsal":true}}');
  });
}
