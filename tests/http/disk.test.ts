/** The disk engine seen from outside: its answers, its figures, and channels that are taken out of it. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DiskEngine, type RuleOptions } from "../../packages/server/src/index.js";
import { aFolder } from "../../packages/server/src/testing/a-folder.js";
import { damage } from "../../packages/server/src/testing/damage.js";
import { Client } from "../library/client.js";
import { make, post, serve } from "../library/serve.js";

const MiB = 2 ** 20;

async function serving(rules: readonly RuleOptions[] = []) {
  const disk = { free: 1000 * MiB };
  const dataDir = aFolder();
  const open = () => DiskEngine.open({ dataDir, askFree: async () => disk.free });
  const engine = await open();
  onTestFinished(() => engine.close());
  /** Twice: the first may be one that had begun already, and had asked for the space before. */
  const sweep = async () => {
    await engine.sweep();
    await engine.sweep();
  };
  return { ...(await serve({ engine, rules })), dataDir, disk, engine, open, sweep };
}

test("a full disk is told to publishers with 507, and to those who ask whether the server is ready", async () => {
  const { base, disk, sweep } = await serving();
  const url = `${base}/channels/order:1/messages`;
  expect((await post(url, { data: 1 })).status).toBe(201);
  expect((await fetch(`${base}/health`)).status).toBe(200);

  disk.free = 10 * MiB;
  await sweep();
  const refused = await post(url, { data: 2 });
  expect(refused.status).toBe(507);
  expect(await refused.json()).toMatchObject({
    code: "insufficient_storage",
    detail: expect.stringMatching(/^10\.0 MiB are free on the disk of the server/),
    remedy: expect.stringContaining("Make room"),
  });
  const batch = await post(`${base}/messages`, { messages: [{ channel: "order:1", data: 2 }] });
  expect(await batch.json()).toMatchObject({ results: [{ code: "insufficient_storage", status: 507 }] });
  const health = await fetch(`${base}/health`);
  expect([health.status, await health.json()]).toEqual([503, { status: "full" }]);
  expect((await fetch(`${base}/health/live`)).status).toBe(200);
  expect(await (await fetch(url)).json()).toMatchObject({ head: 1, messages: [{ data: 1 }] });

  disk.free = 1000 * MiB;
  await sweep();
  expect((await post(url, { data: 3 })).status).toBe(201);
  expect((await fetch(`${base}/health`)).status).toBe(200);
});

test("a folder that was removed is told to publishers, and to those who ask whether the server is ready", async () => {
  const { base, dataDir, sweep } = await serving();
  const url = `${base}/channels/order:1/messages`;
  expect((await post(url, { data: 1 })).status).toBe(201);
  rmSync(dataDir, { recursive: true });
  await sweep();
  const refused = await post(url, { data: 2 });
  expect(refused.status).toBe(503);
  expect(await refused.clone().text()).not.toContain(dataDir);
  expect(await refused.json()).toMatchObject({
    code: "unavailable",
    detail: expect.stringContaining("was removed or replaced"),
    remedy: expect.stringContaining("The log of the server says"),
  });
  const health = await fetch(`${base}/health`);
  expect([health.status, await health.json()]).toEqual([503, { status: "gone" }]);
  expect(await (await fetch(url)).json()).toMatchObject({ head: 1, messages: [{ data: 1 }] });
});

test("what the disk has changed is answered with 500 and a remedy, and is a gap for subscribers", async () => {
  const dataDir = aFolder();
  const first = await DiskEngine.open({ dataDir });
  const filling = make({ engine: first });
  const positions = [];
  for (const data of ["one", "needle", "three"]) positions.push(await filling.publish("order:1", data));
  await filling.states.set("order:2", { status: "nail" });
  await filling.close();
  await first.close();
  for (const wanted of ['"needle"', '{"status":"nail"}']) damage(join(dataDir, "data.mdb"), wanted);

  const engine = await DiskEngine.open({ dataDir });
  onTestFinished(() => engine.close());
  const { base } = await serve({ engine });
  for (const address of ["order:1/messages", "order:2/state"]) {
    const answer = await fetch(`${base}/channels/${address}`);
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({
      code: "internal",
      detail: expect.stringContaining("is damaged in the store"),
      remedy: expect.stringContaining("restore a backup"),
    });
  }
  const epoch = positions[0]?.epoch;
  const subscribe = { type: "subscribe", request: 1, channel: "order:1" };
  const client = await Client.connect(base);
  client.send({ ...subscribe, since: { epoch, offset: 0 } });
  await client.next("subscribed");
  expect(await client.next("message")).toMatchObject({ offset: 1, data: "one" });
  expect(await client.next("gap")).toMatchObject({ from: 2, to: 2 });
  expect(await client.next("message")).toMatchObject({ offset: 3, data: "three" });
  const other = await Client.connect(base);
  other.send({ ...subscribe, since: { epoch, offset: 1 } });
  expect(await other.next("subscribed")).toMatchObject({ recovered: false, reason: "evicted" });
  expect((await post(`${base}/channels/order:1/messages`, { data: "four" })).status).toBe(201);
  expect(await client.next("message")).toMatchObject({ offset: 4 });
  for (const each of [client, other]) each.close();
});

test("the metrics tell how large the store is, how much room there is, and how long commits take", async () => {
  const { base } = await serving();
  await post(`${base}/channels/order:1/messages`, { data: 1 });
  const text = await (await fetch(`${base}/metrics`)).text();
  expect(text).toMatch(/^fanfare_disk_bytes [1-9]\d+$/m);
  expect(text).toContain(`fanfare_disk_free_bytes ${1000 * MiB}\n`);
  expect(text).toMatch(/^fanfare_commit_seconds_count [1-9]/m);
  expect(text).toMatch(/^fanfare_history_messages 1$/m);
});

test("a rule takes channels out of the disk: they are gone after a restart, and the others are not", async () => {
  const { base, engine, open } = await serving([{ channels: "ticker:*", durability: "memory" }]);
  for (const channel of ["order:1", "ticker:1"]) {
    expect((await post(`${base}/channels/${channel}/messages`, { data: channel })).status).toBe(201);
  }
  const { channels } = (await (await fetch(`${base}/channels`)).json()) as {
    channels: { channel: string }[];
  };
  expect(channels.map(({ channel }) => channel)).toEqual(["order:1", "ticker:1"]);
  await engine.close();
  const again = await open();
  onTestFinished(() => again.close());
  expect(await again.logs.list(null, 10)).toMatchObject([{ channel: "order:1", head: 1 }]);
});
