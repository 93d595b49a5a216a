/** An application that knows its sessions, and a Fanfare that asks it whose they are. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { FanfareOptions } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";
import { listen } from "../library/serve.js";

export const KEY = "0123456789-the-key";

export interface Answer {
  readonly status?: number;
  readonly body?: unknown;
}

/** An application that knows sessions, and is asked by a Fanfare. */
export async function serving(options: FanfareOptions = {}) {
  const clock = new FakeClock();
  const asked: IncomingHttpHeaders[] = [];
  const app = {
    /** What it answers, by cookies and CSRF token; 401 for all others. */
    answers: new Map<string, Answer>([
      [
        "session=alice c1",
        { body: { user: "alice", grants: [{ channels: "user:{sub}:*", actions: ["*"] }] } },
      ],
      ["session=guest -", { body: { user: null } }],
    ]),
    /** Holds back answers until it resolves. */
    held: Promise.resolve(),
  };
  const server = createServer(({ headers }, response) => {
    asked.push(headers);
    const answer =
      app.answers.get(`${headers.cookie} ${headers["x-csrf-token"] ?? "-"}`) ?? app.answers.get("*");
    void app.held.then(() => {
      const { status = answer ? 200 : 401, body = "" } = answer ?? {};
      response.writeHead(status, { Location: "/log-in" });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  const url = `http://127.0.0.1:${await listen(server)}/session`;
  const served = await serve({
    clock,
    apiKeys: [KEY],
    forwardedSession: { url, cookies: ["session"] },
    ...options,
  });
  const open = (cookie = "session=alice") => Client.open(served.url, { headers: { Cookie: cookie } });
  const alice = async () => {
    const client = await open();
    await client.connect({ csrf: "c1" });
    await client.subscribe("user:alice:news");
    return client;
  };
  /** How a client ends that is refused. */
  const closed = async (cookie: string, connect: object = { csrf: "c1" }) => {
    const client = await open(cookie);
    client.say({ type: "connect", ...connect });
    return client.closed;
  };
  const pass = (seconds: number) => clock.forward(seconds * 1000, 1000);
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { ...served, clock, app, asked, open, alice, closed, pass, stop };
}
