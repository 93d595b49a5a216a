/** `fanfare backup` and `fanfare restore`, as an operator calls them, beside a server that goes on. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aFolder } from "../../packages/server/src/testing/a-folder.js";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { Client } from "../library/client.js";
import { post } from "../library/serve.js";
import { Command } from "./command.js";

const KEY = "0123456789abcdef-secret";
const AS_SERVER = { Authorization: `Bearer ${KEY}` };

async function start(dataDir: string) {
  const env = {
    FANFARE_DATA_DIR: dataDir,
    FANFARE_API_KEY: KEY,
    FANFARE_ANONYMOUS: JSON.stringify(LISTEN),
  };
  const command = new Command(["start", "--port", "0"], env);
  const [, base = ""] = await command.says(/Health {5}(\S+)\/health/);
  const stop = async () => {
    command.kill("SIGTERM");
    expect((await command.end()).code).toBe(0);
  };
  const publish = async (data: unknown, headers: Record<string, string> = AS_SERVER) => {
    const answer = await post(`${base}/channels/order:1/messages`, { data }, headers);
    return { status: answer.status, ...((await answer.json()) as { epoch: string; offset: number }) };
  };
  const read = async (path: string) =>
    (await (await fetch(`${base}${path}`, { headers: AS_SERVER })).json()) as Answer;
  return { base, env, stop, publish, read };
}

interface Answer {
  readonly head?: number;
  readonly epoch?: string;
  readonly messages?: readonly { readonly data: unknown }[];
  readonly [name: string]: unknown;
}

test("a backup is taken while the server is published to, and everything is there after it was restored", async () => {
  const dataDir = join(aFolder(), "data");
  const [backup, second] = [join(aFolder(), "backup"), join(aFolder(), "second")];
  const server = await start(dataDir);
  const added = await new Command(["key", "add", "shop", "--channel", "order:*"], server.env).end();
  expect(added.code).toBe(0);
  await post(`${server.base}/sequences/invoice/next`, { count: 7 }, AS_SERVER);
  await fetch(`${server.base}/channels/order:1/state`, {
    method: "PUT",
    headers: { ...AS_SERVER, "Content-Type": "application/json" },
    body: JSON.stringify({ status: "paid" }),
  });
  const lock = await fetch(`${server.base}/locks/printer`, {
    method: "PUT",
    headers: { ...AS_SERVER, "Content-Type": "application/json" },
    body: JSON.stringify({ leaseSeconds: 600 }),
  });
  const { token } = (await lock.json()) as { token: number };
  let taken = false;
  const publishing = (async () => {
    let last = await server.publish(0);
    for (let n = 1; !taken; n++) last = await server.publish(n);
    return last;
  })();
  const outcome = await new Command(["backup", backup], server.env).end();
  taken = true;
  const last = await publishing;
  expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
  expect(outcome.stdout).toMatch(/backup: \d+ records, \d+ bytes, read from beginning to end\n$/);
  expect(last.status).toBe(201);

  // Not while a server uses the folder; and not over another backup.
  const early = await new Command(["restore", backup, "--replace"], server.env).end();
  expect([early.code, early.stderr]).toEqual([1, expect.stringContaining("uses")]);
  const twice = await new Command(["backup", backup], server.env).end();
  expect([twice.code, twice.stderr]).toEqual([1, expect.stringContaining("is there already")]);
  expect((await new Command(["backup", second, "--dataDir", dataDir]).end()).code).toBe(0);
  const late = await server.publish("after both");
  await server.stop();

  const target = join(aFolder(), "target");
  const restored = await new Command(["restore", backup, "--dataDir", target]).end();
  expect([restored.code, restored.stderr]).toEqual([0, ""]);
  expect(restored.stdout).toMatch(/target is as it was at \d{4}-.*Z\.\n/);
  expect(restored.stdout).toContain("numbers that were given since then will be given again");

  const again = await start(target);
  const history = await again.read("/channels/order:1/messages?limit=50");
  expect(history.epoch).not.toBe(late.epoch);
  expect(history.head).toBeGreaterThanOrEqual(2);
  expect(history.head).toBeLessThan(late.offset);
  const numbers = (history.messages ?? []).map(({ data }) => Number(data));
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
  expect(await again.read("/channels/order:1/state")).toEqual({ status: "paid" });
  expect(await again.read("/sequences/invoice")).toMatchObject({ last: 7 });
  expect(await again.read("/locks/printer")).toMatchObject({ token });
  const withKey = { Authorization: `Bearer ${added.stdout.trim()}` };
  expect((await again.publish("by the key", withKey)).status).toBe(201);
  const client = await Client.connect(again.base, { headers: AS_SERVER });
  client.send({
    type: "subscribe",
    request: 1,
    channel: "order:1",
    since: { epoch: late.epoch, offset: late.offset },
  });
  expect(await client.next("subscribed")).toMatchObject({ recovered: false, reason: "restarted" });
  client.close();
  await again.stop();
  expect(readdirSync(target).filter((name) => name.includes("restor"))).toEqual([]);
}, 120_000);

test("what cannot be backed up or restored is said with what to do", async () => {
  const folder = aFolder();
  const env = { FANFARE_DATA_DIR: join(folder, "data") };
  const [nothing, noBackup, missing, unknown] = await Promise.all([
    new Command(["backup", join(folder, "backup")], env).end(),
    new Command(["restore", folder], env).end(),
    new Command(["backup"], env).end(),
    new Command(["restore", folder, "--force"], env).end(),
  ]);
  expect([nothing.code, nothing.stderr]).toEqual([
    1,
    `fanfare backup: there is nothing to back up in ${join(folder, "data")}\nGive the dataDir of the server.\n`,
  ]);
  expect([noBackup.code, noBackup.stderr]).toEqual([
    1,
    `fanfare restore: ${folder} is not a backup, or not a whole one: its backup.json cannot be read\nGive the folder that fanfare backup made.\n`,
  ]);
  expect(missing.code).toBe(2);
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    expect.stringContaining('the option "--force" is not known'),
  ]);
  expect(readdirSync(folder)).toEqual([]);
});
