/** Clients of Server-Sent Events that other people wrote, cut off while messages go out. */
import { type ChildProcess, spawn } from "node:child_process";
import { EventSource } from "eventsource";
import { expect, onTestFinished, test } from "vitest";
import { TcpProxy } from "../client/proxy.js";
import { type Serving, serve } from "./serving.js";
import { Inbox, until } from "./waiting.js";

const CHANNELS = ["order:1", "order:2", "broadcast"];
const QUERY = CHANNELS.map((channel) => `channel=${channel}`).join("&");

async function proxied() {
  const served = await serve({ access: "open" });
  const proxy = await TcpProxy.to(served.port);
  onTestFinished(() => proxy.close());
  return { ...served, proxy, url: `http://127.0.0.1:${proxy.port}/push/sse?${QUERY}` };
}

/** Publishes so many messages in turn to the three channels; their names in the order in which they went out. */
async function publish(
  { fanfare }: Pick<Serving, "fanfare">,
  count: number,
  event: string,
): Promise<string[]> {
  const sent: string[] = [];
  for (let index = 0; index < count; index++) {
    const channel = CHANNELS[index % CHANNELS.length] ?? "";
    const { offset } = await fanfare.publish(channel, { index }, { event });
    sent.push(`${channel} ${offset}`);
  }
  return sent;
}

const nameOf = (data: string) => {
  const { channel, offset } = JSON.parse(data);
  return `${channel} ${offset}`;
};

/** All of them, in order within each channel; those that came twice are taken once. */
function check(heard: readonly string[], sent: readonly string[]): void {
  for (const channel of CHANNELS) {
    const of = (names: readonly string[]) => names.filter((name) => name.startsWith(`${channel} `));
    expect([...new Set(of(heard))]).toEqual(of(sent));
  }
}

test("the package eventsource, cut off while 50 messages go out over three channels, has them all", async () => {
  const served = await proxied();
  const { proxy, fanfare, url } = served;
  const source = new EventSource(url);
  onTestFinished(() => source.close());
  const heard: string[] = [];
  const cursors = new Inbox<string>("cursors");
  source.addEventListener("changed", ({ data }) => heard.push(nameOf(data)));
  source.addEventListener("fanfare.cursor", ({ lastEventId }) => cursors.put(lastEventId));
  let stray = 0;
  source.onmessage = () => stray++;
  await cursors.nextThat((cursor) => !/,,|,$|\.,/.test(cursor));
  const sent = await publish(served, 7, "changed");
  await until(() => heard.length === 7, "those before the cut have come");

  const lost = new Promise((done) => source.addEventListener("error", done, { once: true }));
  proxy.refuse();
  proxy.cut();
  await lost;
  await until(() => fanfare.stats().connections === 0, "the server has noticed");
  sent.push(...(await publish(served, 50, "changed")));
  proxy.heal();

  await until(() => new Set(heard).size === sent.length, "all have come", 20_000);
  check(heard, sent);
  // A bare onmessage hears nothing of the server's own.
  expect(stray).toBe(0);
});

test("curl, cut off while 50 messages go out over three channels, has them all when it comes back with the last id", async () => {
  const served = await proxied();
  const { proxy, url } = served;
  const first = curl(url);
  const whole = () => first.ids.some((id) => !/,,|,$|\.,/.test(id));
  await until(whole, "the cursor of all channels");
  const sent = await publish(served, 7, "changed");
  await until(() => first.heard.length === 7, "those before the cut have come");
  proxy.refuse();
  proxy.cut();
  await first.ended;
  sent.push(...(await publish(served, 50, "changed")));
  proxy.heal();
  const again = curl(url, first.ids.at(-1));
  await until(() => new Set([...first.heard, ...again.heard]).size === sent.length, "all have come");
  check([...first.heard, ...again.heard], sent);
});

/** The command `curl -N`, and what it printed. */
function curl(url: string, lastEventId?: string) {
  const header = lastEventId === undefined ? [] : ["-H", `Last-Event-ID: ${lastEventId}`];
  const child: ChildProcess = spawn("curl", ["-sN", ...header, url], { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const heard: string[] = [];
  const ids: string[] = [];
  let rest = "";
  let event = "";
  child.stdout?.on("data", (bytes) => {
    const lines = (rest + String(bytes)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("id: ")) ids.push(line.slice(4));
      else if (line.startsWith("event: ")) event = line.slice(7);
      else if (line.startsWith("data: ") && event === "changed") heard.push(nameOf(line.slice(6)));
    }
  });
  return { heard, ids, ended: new Promise((done) => child.once("exit", done)) };
}
