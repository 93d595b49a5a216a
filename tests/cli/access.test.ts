import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { post } from "../library/serve.js";
import { Command } from "./command.js";

const SECRET = "the-secret-of-a-test-0123456789abcdef";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function run(args: readonly string[], folder: string, env: Record<string, string> = {}) {
  return new Command(args, env, { folder }).end();
}

async function started(folder: string, env: Record<string, string> = {}) {
  const command = new Command(["start", "--port", "0"], env, { folder });
  const [, url = ""] = await command.says(/Health {5}(\S+)\/health/);
  return { command, url };
}

/** Repeats a request until its answer has this status. */
async function until(status: number, ask: () => Promise<Response>): Promise<void> {
  while ((await ask()).status !== status);
}

test("a key is made, may do what it was made for, and is revoked while the server runs", async () => {
  const folder = newFolder();
  const made = await run(
    ["key", "add", "shop", "--channel", "order:*", "--channel=stock", "--action", "publish"],
    folder,
  );
  const key = made.stdout.trim();
  expect([made.code, key]).toEqual([0, expect.stringMatching(/^fanfare_[0-9a-f]{12}_[\w-]{32}$/)]);
  expect(statSync(join(folder, "fanfare-data/data.mdb")).mode & 0o777).toBe(0o600);

  // A key in the file is enough to start with.
  const { url } = await started(folder);
  const publish = (channel: string, given = key) =>
    post(`${url}/channels/${channel}/messages`, { data: 1 }, { Authorization: `Bearer ${given}` });
  expect((await publish("order:1")).status).toBe(201);
  expect((await publish("stock")).status).toBe(201);
  expect((await publish("order:1:x")).status).toBe(403);

  const another = (await run(["key", "add", "all"], folder)).stdout.trim();
  await until(201, () => publish("any:thing", another));

  const list = await run(["key", "list"], folder);
  const [first = "", second = ""] = list.stdout.split("\n");
  expect(first).toContain('"shop"');
  expect(second).toContain('"all"');
  for (const secret of [key, another]) expect(list.stdout).not.toContain(secret.slice(-32));

  const [id = ""] = first.split("\t");
  expect((await run(["key", "revoke", id], folder)).code).toBe(0);
  await until(401, () => publish("order:1"));
  expect((await publish("order:1", another)).status).toBe(201);
  expect(await run(["key", "revoke", id], folder)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining(id),
  });
});

test.each(["disk", "memory"])(
  "with the engine %s keys are made before, while and after a server runs, also one that is killed",
  async (engine) => {
    const folder = newFolder();
    const env = { FANFARE_ENGINE: engine };
    const add = async (name: string) => {
      const made = await run(["key", "add", name], folder, env);
      expect([made.code, made.stderr]).toEqual([0, expect.stringMatching(/^# [0-9a-f]{12} in /)]);
      return { key: made.stdout.trim(), inForce: made.stderr.includes("in force") };
    };
    const list = async () => (await run(["key", "list"], folder, env)).stdout.match(/"\w+"(?=\t\d)/g);
    expect(await run(["key", "list"], folder, env)).toMatchObject({ code: 0, stdout: "" });
    expect(readdirSync(folder)).toEqual([]);
    const before = await add("before");
    const { command, url } = await started(folder, env);
    const during = await add("while");
    // Asked over the socket, so that it is in force when the command ends.
    expect([before.inForce, during.inForce]).toEqual([false, true]);
    for (const { key } of [before, during])
      expect(
        (await post(`${url}/channels/a/messages`, { data: 1 }, { Authorization: `Bearer ${key}` })).status,
      ).toBe(201);
    expect(statSync(join(folder, "fanfare-data/control.sock")).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "fanfare-data")).mode & 0o777).toBe(0o700);
    command.kill("SIGKILL");
    await command.ended;
    // The socket is left, and no process listens.
    expect(existsSync(join(folder, "fanfare-data/control.sock"))).toBe(true);
    expect((await add("after")).inForce).toBe(false);
    expect(await list()).toEqual(['"before"', '"while"', '"after"']);
  },
);

test("a running server makes a token with its own secret, which the command need not know", async () => {
  const folder = newFolder();
  const { url } = await started(folder, { FANFARE_SECRET: SECRET });
  const made = await run(["token", "--user", "alice", "--channel", "a"], folder);
  expect([made.code, made.stderr]).toEqual([0, ""]);
  const heard = await fetch(`${url}/channels/a/messages`, {
    headers: { Authorization: `Bearer ${made.stdout.trim()}` },
  });
  expect(heard.status).toBe(200);
  expect(await run(["token", "--user", "alice", "--seconds", "999999999"], folder)).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/999999999/),
  });
});

test("a token is made, and explained", async () => {
  const folder = newFolder();
  const env = { FANFARE_SECRET: SECRET };
  const made = await run(["token", "--user", "alice", "--channel", "user:{sub}:*"], folder, env);
  const token = made.stdout.trim();
  expect(made.code).toBe(0);
  const { url, command } = await started(folder, env);
  const explain = (args: readonly string[], input = "") =>
    new Command(["explain", ...args, "--url", url], {}, { folder, input }).end();

  const answers = await Promise.all([
    explain(["subscribe", "user:alice:a", "--token", token]),
    explain(["subscribe", "user:bob:a", "--token", "-"], `${token}\n`),
    explain(["publish", "user:alice:a"]),
    explain(["subscribe", "user:alice:a", "--token", `${token}x`]),
    explain(["read", "a"]),
    explain(["subscribe"]),
    explain(["subscribe", "a b"]),
  ]);
  expect(answers.map(({ code }) => code)).toEqual([0, 1, 1, 1, 2, 2, 2]);
  expect(answers[0]?.stdout).toMatch(/^allowed: .*user:\{sub\}:\*/);
  expect(answers[1]?.stdout).toMatch(/^not allowed: [\s\S]*"channels":"user:bob:a"/);
  expect(answers[2]?.stdout).toMatch(
    /^not allowed: Anonymous clients may not publish on user:alice:a \(no grants\)\./,
  );
  expect(answers[3]?.stdout).toMatch(/^not allowed: .*signature/);
  expect(answers[4]?.stderr).toMatch(/there is no action "read"\nGive one of subscribe, publish,/);
  expect(answers[5]?.stderr).toMatch(/the channel is missing\nGive the one on which to subscribe/);
  expect(answers[6]?.stderr).toMatch(/"a b" is no channel name/);

  command.kill("SIGTERM");
  const { stdout, stderr } = await command.end();
  for (const secret of [token, SECRET]) expect(stdout + stderr).not.toContain(secret);

  for (const [args, given, why] of [
    [["token", "--user", "alice"], {}, /no secret[\s\S]*FANFARE_SECRET=\$\(openssl rand -hex 32\)/],
    [["token", "--user", "alice", "--seconds", "0"], env, /--seconds is "0"/],
    [["token", "--user", "alice", "--action", "publish"], env, /--action is given without --channel/],
    [["key", "add", "shop", "--action", "publish"], env, /--action is given without --channel/],
    [["token", "--user", "alice", "--channel", "a::b"], env, /"a::b" is no channel pattern/],
    [["token", "--user", "alice", "--info", "Alice"], env, /"Alice" is no JSON/],
    [["token", "--user", "alice", "--info", `"${"x".repeat(1024)}"`], env, /info is 1026 bytes/],
    [["token", "--user", "alice", "--channel", "a", "--action", "read"], env, /"read"/],
  ] as const) {
    expect(await run(args, folder, given)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(why),
      stdout: "",
    });
  }
});

test("a token says what others see of its user", async () => {
  const folder = newFolder();
  const env = { FANFARE_SECRET: SECRET };
  const info = { name: "Älice" };
  const grants = ["--channel", "room", "--action", "subscribe,presence"];
  const made = await run(
    ["token", "--user", "alice", ...grants, "--info", JSON.stringify(info)],
    folder,
    env,
  );
  const [, claims = ""] = made.stdout.split(".");
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({ sub: "alice", info });
});

test("SIGHUP takes over other keys, secrets and grants, and nothing of what is wrong", async () => {
  const folder = newFolder();
  const write = (config: object) =>
    writeFileSync(join(folder, "fanfare.config.json"), JSON.stringify(config));
  const [old, next] = ["0123456789abcdef-old", "0123456789abcdef-next"];
  write({ apiKeys: [old], anonymous: LISTEN });
  const { command, url } = await started(folder);
  const publish = (key: string) =>
    post(`${url}/channels/a/messages`, { data: 1 }, { Authorization: `Bearer ${key}` }).then(
      ({ status }) => status,
    );
  const history = () => fetch(`${url}/channels/a/messages`).then(({ status }) => status);
  expect(await Promise.all([publish(old), publish(next), history()])).toEqual([201, 401, 200]);

  write({ apiKeys: [old, next] });
  command.kill("SIGHUP");
  await command.says(/SIGHUP: changed apiKeys, anonymous/, "stderr");
  expect(await Promise.all([publish(old), publish(next), history()])).toEqual([201, 201, 401]);

  for (const wrong of [
    { apiKeys: ["short"] },
    { apiKeys: [] },
    { apiKeys: [next], anonymous: [{ channels: "{sub}" }] },
  ]) {
    write(wrong);
    command.kill("SIGHUP");
    await command.says(/SIGHUP: nothing was changed/, "stderr");
  }
  expect(await Promise.all([publish(old), publish(next), history()])).toEqual([201, 201, 401]);
});

test("SIGHUP says what was changed and needs a restart", async () => {
  const folder = newFolder();
  const write = (config: object) =>
    writeFileSync(
      join(folder, "fanfare.config.json"),
      JSON.stringify({ apiKeys: ["0123456789abcdef-key"], ...config }),
    );
  write({ limits: { stateBytes: 1000 } });
  const { command } = await started(folder);
  write({ limits: { stateBytes: 1000, messageBytes: 10 }, shutdownSeconds: 1, rates: { framesPerUser: 1 } });
  command.kill("SIGHUP");
  const [info] = await command.says(/.*SIGHUP: changed rates.*/, "stderr");
  expect(JSON.parse(info)).toMatchObject({ level: 30, changed: ["rates.framesPerUser"] });
  const [line] = await command.says(/.*SIGHUP: changed, and still as it was: .*/, "stderr");
  expect(JSON.parse(line)).toMatchObject({
    level: 40,
    msg: "SIGHUP: changed, and still as it was: limits.messageBytes, shutdownSeconds",
    remedy: "Restart the server to take over what was changed.",
  });
});
