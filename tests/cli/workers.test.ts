import { createServer } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { createClient } from "../../packages/client/src/index.js";
import { listen, post } from "../library/serve.js";
import { Command, dataDir } from "./command.js";

const KEY = "0123456789abcdef0123456789abcdef";
const KEY_HEADERS = { Authorization: `Bearer ${KEY}` };

/** `fanfare start` with two workers, ready to be used. */
async function start(engine: string, env: Record<string, string> = {}) {
  const all = { ...dataDir(), FANFARE_API_KEY: KEY, FANFARE_ENGINE: engine, ...env };
  const anybody = JSON.stringify([{ channels: "**", actions: ["subscribe", "history"] }]);
  const command = new Command(["start", "--port", "0", "--workers", "2"], {
    ...all,
    FANFARE_ANONYMOUS: anybody,
  });
  const [, url = ""] = await command.says(/curl (\S+)\/channels/);
  const [, pids = ""] = await command.says(/"workers":\[(\d+,\d+)\]/, "stderr");
  return { command, url, pids: pids.split(",").map(Number) };
}

interface Connections {
  readonly connections: readonly { readonly connection: string; readonly node: string }[];
}

/** Clients until each worker has one; what they heard is in one list for each. */
async function listeners(url: string) {
  const get = async (path: string) => (await fetch(`${url}${path}`, { headers: KEY_HEADERS })).json();
  const all: { readonly heard: unknown[]; readonly gaps: unknown[]; readonly recovered: boolean[] }[] = [];
  const nodes = () =>
    get("/connections").then(({ connections }: Connections) => new Set(connections.map(({ node }) => node)));
  while (all.length < 2 || (await nodes()).size < 2) {
    const client = createClient({ url, WebSocket: WebSocket as never });
    onTestFinished(() => client.close());
    const [heard, gaps, recovered]: [unknown[], unknown[], boolean[]] = [[], [], []];
    await new Promise<void>((subscribed) => {
      client.subscribe("news", ({ data }) => heard.push(data), {
        since: { epoch: "0000000000000000", offset: 0 },
        onGap: (gap) => gaps.push(gap),
        onSubscribed(state) {
          recovered.push(state.recovered);
          subscribed();
        },
      });
    });
    all.push({ heard, gaps, recovered });
  }
  return { all, get, nodes };
}

const publishing = (url: string) => (data: unknown) =>
  post(`${url}/channels/news/messages`, { data }, KEY_HEADERS);

test.each(["memory", "disk"])(
  "clients of all workers hear the same in one order, also those whose worker was killed (%s)",
  async (engine) => {
    const { command, url, pids } = await start(engine);
    const publish = publishing(url);
    expect((await publish("first")).status).toBe(201);
    const { all, get, nodes } = await listeners(url);
    const before = all.map(({ recovered }) => recovered.length);
    for (let n = 0; n < 20; n++) expect((await publish(n)).status).toBe(201);

    process.kill(pids[0] ?? 0, "SIGKILL");
    await command.says(new RegExp(`"workerPid":${pids[0]},.*another one takes its place`), "stderr");
    const published = [...Array(20).keys()];
    for (let n = 20; n < 30; n++) {
      // A request that the killed worker had accepted is made again.
      const { status } = await publish(n).catch(() => publish(n));
      expect(status).toBe(201);
      published.push(n);
    }
    await expect.poll(() => all.every(({ heard }) => heard.at(-1) === 29)).toBe(true);
    for (const { heard } of all) expect(heard.filter((data) => typeof data === "number")).toEqual(published);
    // Those of the killed worker have come back and recovered; the others have noticed nothing.
    const back = all.flatMap(({ recovered }, index) => recovered.slice(before[index]));
    expect(back.length).toBeGreaterThan(0);
    expect(back.every(Boolean)).toBe(true);
    await expect.poll(async () => (await nodes()).size).toBeGreaterThan(0);

    const { head } = (await get("/channels/news/messages?limit=1")) as { head: number };
    expect(head).toBe(31);
    command.kill("SIGTERM");
    expect((await command.end()).code).toBe(0);
  },
);

test("the figures of all workers come with one scrape", async () => {
  const { command, url, pids } = await start("memory");
  await expect
    .poll(async () => (await fetch(`${url}/metrics`, { headers: KEY_HEADERS })).text())
    .toSatisfy((text: string) =>
      pids.every((pid) => text.includes(`fanfare_subscriptions{process="${pid}"} 0`)),
    );
  const text = await (await fetch(`${url}/metrics`, { headers: KEY_HEADERS })).text();
  const helps = text.split("\n").filter((line) => line.startsWith("# HELP "));
  expect(new Set(helps).size).toBe(helps.length);
  command.kill("SIGINT");
  expect((await command.end()).code).toBe(0);
});

test("a port that is taken is said once", async () => {
  const port = String(await listen(createServer()));
  const env = { ...dataDir(), FANFARE_API_KEY: KEY };
  const { code, stdout, stderr } = await new Command(["start", "--port", port, "--workers", "2"], env).end();
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr.match(/port \d+ is taken/g)).toHaveLength(1);
});

test("a number of workers that cannot be is refused", async () => {
  const env = { ...dataDir(), FANFARE_API_KEY: KEY };
  const { code, stderr } = await new Command(["start", "--workers", "none"], env).end();
  expect(code).toBe(2);
  expect(stderr).toMatch(/workers is "none" \(--workers\)\. Give a whole number from 1 to 256, or auto\./);
});
