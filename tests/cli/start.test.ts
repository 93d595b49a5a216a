import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { Client } from "../library/client.js";
import { listen, post } from "../library/serve.js";
import { Command, dataDir } from "./command.js";

const KEY = "0123456789abcdef-secret";

describe("fanfare start", () => {
  test("serves everybody who may listen, and publishes for those with the key", async () => {
    const env = {
      ...dataDir(),
      FANFARE_API_KEY: KEY,
      FANFARE_PATH: "/live",
      FANFARE_ANONYMOUS: JSON.stringify(LISTEN),
      FANFARE_LIMITS_CONNECTIONS: "900000000",
    };
    const command = new Command(["start", "--port", "0"], env);
    const [, url = ""] = await command.says(/curl (\S+) -H "Authorization: Bearer \$FANFARE_API_KEY" -d/);
    const [, health = ""] = await command.says(/Health {5}(\S+)/);
    const [, socket = ""] = await command.says(/WebSocket {2}(ws:\/\/127\.0\.0\.1:\d+\/live)\n/);
    await command.says(
      /In force {3}.*channels in \/.*1 API key · pages of the same host · 0 rules · up to 900000000 connections/,
    );

    const [line] = await command.says(/.*Fanfare has started.*/, "stderr");
    expect(JSON.parse(line)).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      host: "127.0.0.1",
      port: Number(new URL(health).port),
      path: "/live",
      engine: "disk",
    });
    expect((await fetch(health)).status).toBe(200);
    expect((await fetch(new URL("/", health))).status).toBe(404);
    const client = await Client.connect(socket);
    await client.subscribe("hello");

    // Listening is for pages of this host, publishing for those with the key.
    await expect(Client.connect(socket, { origin: "https://evil.example" })).rejects.toThrow("403");
    const body = { event: "paid", data: 1 };
    const answers = await Promise.all([
      post(url, body),
      post(url, body, { Authorization: "Bearer 0123456789abcdef-wrong" }),
      fetch(url),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 200]);
    expect((await post(url, body, { Authorization: `Bearer ${KEY}` })).status).toBe(201);
    expect(await client.next("message")).toMatchObject({ channel: "hello", event: "paid", data: 1 });

    // The command publishes with the key, over HTTP; without it, it is told what is missing.
    const base = health.replace("/health", "");
    const publish = (args: string[], key: string) =>
      new Command(["publish", "hello", ...args, "--url", base], key ? { FANFARE_API_KEY: key } : {}).end();
    const [withKey, wrong, without] = await Promise.all([
      publish(['{"a": 2}', "--event", "sent", "--id", "once"], KEY),
      publish(["3", "--api-key", "0123456789abcdef-wrong"], KEY),
      publish(["4"], ""),
    ]);
    expect([withKey.code, JSON.parse(withKey.stdout)]).toEqual([0, expect.objectContaining({ offset: 2 })]);
    expect(await client.next("message")).toMatchObject({ event: "sent", data: { a: 2 }, id: "once" });
    for (const { code, stdout, stderr } of [wrong, without]) {
      expect([code, stdout]).toEqual([1, ""]);
      expect(stderr).toMatch(/^fanfare publish: .+\nGive .*FANFARE_API_KEY/);
    }

    // Reloading harms nobody.
    command.kill("SIGHUP");
    await command.says(/SIGHUP: nothing to change/, "stderr");
    command.kill("SIGTERM");
    expect(await client.next("goodbye")).toMatchObject({ retryAfterSeconds: expect.any(Number) });
    expect(await client.closed).toBe(1012);
    const { code, stdout, stderr } = await command.end();
    expect(code).toBe(0);
    expect(stderr).toMatch(/may open \d+ files.*limits\.connections is 900000000/);
    expect(stdout + stderr).not.toContain(KEY);
  });

  test("keeps what was published in a folder that a second process is kept out of", async () => {
    const env = { ...dataDir(), FANFARE_API_KEY: KEY };
    const start = async () => {
      const command = new Command(["start", "--port", "0"], env);
      const [, url = ""] = await command.says(/curl (\S+) -H/);
      return { command, url };
    };
    const first = await start();
    const headers = { Authorization: `Bearer ${KEY}` };
    expect((await post(first.url, { data: "kept" }, headers)).status).toBe(201);
    const second = await new Command(["start", "--port", "0"], env).end();
    expect([second.code, second.stdout]).toEqual([1, ""]);
    expect(second.stderr).toMatch(
      `the process ${first.command.pid} uses ${env.FANFARE_DATA_DIR}\nStop it first`,
    );

    first.command.kill("SIGKILL");
    await first.command.end();
    const third = await start();
    expect(await (await fetch(third.url, { headers })).json()).toMatchObject({
      head: 1,
      messages: [{ data: "kept" }],
    });
    third.command.kill("SIGTERM");
    expect((await third.command.end()).code).toBe(0);
  });

  test("does not start with what cannot be, says why, and ends with 2", async () => {
    const taken = await listen(createServer());
    const env = { FANFARE_ENGINE: "memory", FANFARE_API_KEY: KEY };
    const calls = [
      [
        ["start"],
        {},
        /there is no API key and no secret[\s\S]*export FANFARE_API_KEY=\$\(openssl rand -hex 24\)\n {2}fanfare start[\s\S]*fanfare key add/,
      ],
      [["start", "--port", String(taken)], env, new RegExp(`port ${taken} is taken\n.*--port`)],
      [
        ["start", "--port", "0", "--host", "192.0.2.1"],
        env,
        /the host "192\.0\.2\.1" is no address of this machine\n/,
      ],
      [
        ["start", "--port", "x", "--path", "y"],
        env,
        /2 things are wrong[\s\S]*port is "x" \(--port\)[\s\S]*path/,
      ],
    ] as const;
    const ends = await Promise.all(calls.map(([args, given]) => new Command(args, given).end()));
    for (const [index, { code, stdout, stderr }] of ends.entries()) {
      expect(stderr).toMatch(calls[index]?.[2] ?? "");
      expect(stderr).not.toMatch(/-secret|\n {4}at /);
      expect([code, stdout]).toEqual([2, ""]);
    }
  });
});

test("a configuration file that waits for something that never comes is told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "fanfare.config.mjs"), "export default () => new Promise(() => {});");
  const { code, stderr } = await new Command(["config"], {}, { folder }).end();
  expect([code, stderr]).toEqual([2, expect.stringContaining("it waits for something that never comes")]);
});

describe("an operator with nothing but the command", () => {
  test("finds out everything, in plain characters", async () => {
    const calls = [
      [["--help"], /fanfare start[\s\S]*fanfare config --docs[\s\S]*Exit codes/],
      [["start", "--help"], /--host=<address>[\s\S]*openssl rand/],
      [["publish", "--help"], /--api-key[\s\S]*FANFARE_API_KEY rather than --api-key/],
      [["config", "--docs"], /### `limits\.connections`[\s\S]*FANFARE_LIMITS_CONNECTIONS/],
      [["config", "--port", "1"], /^port +1 +--port$/m],
    ] as const;
    const ends = await Promise.all(calls.map(([args]) => new Command(args).end()));
    for (const [index, { code, stdout }] of ends.entries()) {
      expect([code, stdout]).toEqual([0, expect.stringMatching(calls[index]?.[1] ?? "")]);
      expect(stdout).not.toContain("\u001b");
    }
    expect(ends.at(-1)?.stderr).toContain("will need an API key");
  });
});
