/** A client in a test: its server, its clock and its page are played by the test. */
import { createClient } from "../client.js";
import type { ClientOptions } from "../client-options.js";
import type { Connection } from "../types.js";
import { FakeClock } from "./fake-clock.js";
import { FakePage, ScriptedServer, settled } from "./scripted-server.js";

export function setUp(options: Partial<ClientOptions> = {}) {
  const clock = new FakeClock();
  const server = new ScriptedServer();
  const page = new FakePage();
  const client = createClient({
    url: "http://push.example.com/push",
    WebSocket: server.WebSocket,
    sse: false,
    clock,
    page,
    random: () => 0.5,
    ...options,
  });
  const states: Connection[] = [];
  client.on("connection", (state) => states.push(state));
  /** Lets time pass up to the next try. */
  const nextTry = () => {
    if (client.connection.status === "reconnecting") clock.advance(client.connection.retryAt - clock.now());
  };
  return { clock, server, page, client, nextTry, states, statuses: () => states.map(({ status }) => status) };
}

/** A client that is connected and live on `news`, and what its handler hears. */
export async function live(options: Partial<ClientOptions> = {}) {
  const all = setUp(options);
  const heard: number[] = [];
  const subscription = all.client.subscribe("news", ({ offset }) => heard.push(offset));
  all.server.welcome();
  all.server.subscribed("news", { offset: 5 });
  await settled();
  all.server.socket.news();
  return { ...all, heard, subscription };
}
