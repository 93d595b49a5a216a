import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Client } from "../library/client.js";
import { listen, post } from "../library/serve.js";
import { within } from "../library/within.js";
import { Command, dev } from "./command.js";

describe("fanfare dev", () => {
  test("says where everything is, and that is where it is", async () => {
    const { command, port } = await dev("--path", "/live/push");
    for (const host of ["127.0.0.1", "[::1]", "localhost"]) {
      const page = await fetch(`http://${host}:${port}/`);
      expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the page's own script
      expect(await page.text()).toContain("`${location.origin}/live/push`");
      expect((await fetch(`http://${host}:${port}/live/push/health`)).status).toBe(200);
    }
    const [, socket = ""] = await command.says(/WebSocket {2}(\S+)/);
    const [, health = ""] = await command.says(/Health {5}(\S+)/);
    expect([socket, health]).toEqual([
      `ws://localhost:${port}/live/push`,
      `http://localhost:${port}/live/push/health`,
    ]);
    const client = await Client.connect(socket);
    await client.subscribe("hello");
    // The line that it prints, taken at its word.
    const [, url = "", body = ""] = await command.says(/curl (\S+) -d '(.+)'/);
    expect((await post(url, body, { "Content-Type": "application/x-www-form-urlencoded" })).status).toBe(201);
    expect(await client.next("message")).toMatchObject({ channel: "hello", data: "Hello, world" });
    expect((await fetch(`http://localhost:${port}/other`)).status).toBe(404);
    client.close();
  });

  test("tells who is there, on every channel", async () => {
    const { port } = await dev();
    const url = `http://localhost:${port}/push`;
    for (const channel of ["hello", "order:42"]) {
      const client = await Client.connect(url);
      expect(await client.subscribe(channel)).toMatchObject({
        presence: { count: 1, members: [{ id: expect.stringMatching(/^session:/) }] },
      });
      const answer = await fetch(`${url}/channels/${channel}/presence`);
      expect(await answer.json()).toMatchObject({ channel, count: 1 });
      client.close();
    }
  });

  test("takes rules and the door of Socket.IO from a configuration, and stays open", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fanfare-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "fanfare.config.json");
    const config = {
      apiKeys: ["0123456789abcdef"],
      rules: [{ channels: "order:*", presence: true }],
      socketio: { path: "/socket.io", services: ["microflow"] },
    };
    await writeFile(file, JSON.stringify(config));
    const { command, port } = await dev("--config", file);
    await command.says(/Socket\.IO {2}http:\/\/localhost:\d+\/socket\.io\n/);
    const site = `http://localhost:${port}`;
    const present = await fetch(`${site}/push/channels/order:42/presence`);
    expect(await present.json()).toMatchObject({ count: 0 });
    const headers = { "Content-Type": "application/json" };
    expect((await post(`${site}/microflow`, { text: "1" }, headers)).status).toBe(201);
  });

  test("can be reached from this machine only", async () => {
    const { command, port } = await dev();
    const listening = await listeningAddresses(command.pid, port);
    // 127.0.0.1 and ::1, in the kernel's spelling.
    expect(listening).toContain("0100007F");
    for (const address of listening) {
      expect(["0100007F", "00000000000000000000000001000000"]).toContain(address);
    }

    // And it answers to names and pages of this machine only.
    const health = `http://127.0.0.1:${port}/push/health`;
    const socket = connect(port, "127.0.0.1");
    socket.write("GET /push/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    const [answer] = await within(once(socket, "data"), "an answer");
    expect(String(answer)).toMatch(/^HTTP\/1\.1 421 /);
    const foreign = await fetch(health, { headers: { Origin: "http://evil.example" } });
    expect(foreign.status).toBe(403);
    const local = await fetch(health, { headers: { Origin: "http://localhost:5173" } });
    expect(local.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
    const origin = { origin: "http://evil.example" };
    await expect(Client.connect(health.replace("/health", ""), origin)).rejects.toThrow("403");
  });

  test("logs JSON lines on standard error when nobody looks", async () => {
    const { command, port } = await dev();
    await fetch(`http://localhost:${port}/push/health`, {
      headers: { Origin: "http://evil.example/\u009b" },
    });
    command.kill("SIGTERM");
    const { stderr, stdout } = await command.end();
    const lines = stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { level: number; msg: string });
    expect(lines.map(({ level }) => level)).toEqual([30, 40, 30]);
    expect(lines[0]).toMatchObject({ msg: "Fanfare has started", version: expect.any(String), port });
    expect(lines[1]?.msg).toMatch(/^request refused: [\x20-\x7e]+$/);
    expect(lines[2]?.msg).toBe("stopping");
    expect(stdout).not.toContain('"level"');
  });
});

describe("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "by %s tells clients to come back, and ends with 0",
    async (signal) => {
      const { command, port } = await dev();
      const client = await Client.connect(`http://localhost:${port}/push`);
      // A connection that is kept open, without a request, holds nothing up.
      const idle = connect(port, "127.0.0.1");
      await within(once(idle, "connect"), "a connection");
      command.kill(signal);
      expect(await client.next("goodbye")).toMatchObject({ retryAfterSeconds: expect.any(Number) });
      expect(await client.closed).toBe(1012);
      expect((await command.end()).code).toBe(0);
    },
  );

  test("a second time does not wait for clients", async () => {
    const { command, port } = await dev();
    const client = await Client.connect(`http://localhost:${port}/push`);
    client.hold();
    command.kill("SIGINT");
    await command.says(/"stopping"/, "stderr");
    command.kill("SIGINT");
    expect((await command.end()).code).toBe(1);
    client.close();
  });

  test("by kill -9 forgets everything, and every client that comes back is told so", async () => {
    const first = await dev();
    const url = `http://localhost:${first.port}/push`;
    const clients = await Promise.all(Array.from({ length: 20 }, () => Client.connect(url)));
    // Half of them listen to a channel with messages, half to one without.
    const channels = clients.map((_, index) => (index % 2 === 0 ? "busy" : "quiet"));
    const subscribed = await Promise.all(
      clients.map((client, index) => client.subscribe(channels[index] ?? "")),
    );
    for (let count = 0; count < 3; count++) await post(`${url}/channels/busy/messages`, { data: count });
    const positions = await Promise.all(
      clients.map(async (client, index) => {
        const epoch = subscribed[index]?.epoch;
        if (channels[index] === "quiet") return { epoch, offset: 0 };
        for (let count = 1; count < 3; count++) await client.next("message");
        return { epoch, offset: (await client.next("message")).offset };
      }),
    );
    first.command.kill("SIGKILL");
    for (const client of clients) expect(await client.closed).toBe(1006);
    await first.command.end();

    const again = await dev("--port", String(first.port));
    expect(again.port).toBe(first.port);
    // As many messages as before make no difference.
    for (let count = 0; count < 3; count++) await post(`${url}/channels/busy/messages`, { data: "new" });
    for (const [index, since] of positions.entries()) {
      const client = await Client.connect(url);
      const answer = await client.subscribe(channels[index] ?? "", since);
      expect(answer).toMatchObject({ recovered: false, reason: "restarted" });
      expect(answer.epoch).not.toBe(since.epoch);
      client.close();
    }
  });
});

describe("a call that cannot be followed", () => {
  test("ends with 2, one sentence and what to do", async () => {
    const calls = [
      [["dev", "--port", "abc"], '--port is "abc"', "from 0 to 65535"],
      [["dev", "--path", "/XAS/push"], 'begins with "XAS"', "Choose another path"],
      [["dev", "--prot", "1"], '"--prot" is not known', "--help"],
      [["dev", "now"], '"now" is not understood', "--help"],
      [["dev"], 'FANFARE_LOG_LEVEL is "loud"', "silent"],
    ] as const;
    const env = { FANFARE_LOG_LEVEL: "loud" };
    const ends = await Promise.all(
      calls.map(([args]) => new Command(args, args.length === 1 ? env : {}).end()),
    );
    for (const [index, { code, stdout, stderr }] of ends.entries()) {
      const [, sentence = "", remedy = ""] = calls[index] ?? [];
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr.trim().split("\n")).toEqual([
        expect.stringMatching(/^fanfare dev: /),
        expect.stringContaining(remedy),
      ]);
      expect(stderr).toContain(sentence);
    }
  });

  test("a port that is taken is named, also where it is taken on ::1 only", async () => {
    const ports = [await listen(createServer()), await listen(createServer(), "::1")];
    const ends = ports.map((port) => new Command(["dev", "--port", String(port)]).end());
    for (const [index, { code, stderr }] of (await Promise.all(ends)).entries()) {
      expect(code).toBe(2);
      expect(stderr).toMatch(new RegExp(`^fanfare dev: port ${ports[index]} is taken\n.*--port`));
    }
  });

  test("without a command that there is, or without what it needs, ends with 2 and says what would be right", async () => {
    const calls = [
      [[], /^fanfare: the command is missing\nGive one of dev, start,/, "USAGE fanfare dev"],
      [["statr"], /^fanfare: there is no command "statr"\nDid you mean start\?\n$/, ""],
      [["bogus", "--port"], /^fanfare: there is no command "bogus"\nGive one of dev, start,/, ""],
      [
        ["key"],
        /^fanfare key: the command is missing\nGive one of add, list, revoke\.\n$/,
        "USAGE fanfare key add",
      ],
      [["key", "ad"], /^fanfare key: there is no command "ad"\nDid you mean add\?\n$/, ""],
      [["key", "revoke"], /^fanfare key revoke: missing required positional argument: ID\n.*--help/, ""],
      [["--port=1", "dev"], /^fanfare: the option "--port=1" stands before the name of a command\n/, ""],
      [["key", "--config", "x", "list"], /^fanfare key: the option "--config" stands before the name/, ""],
      [["token"], /^fanfare token: missing required argument: --user\n.*--help/, ""],
    ] as const;
    const ends = await Promise.all(calls.map(([args]) => new Command(args).end()));
    for (const [index, { code, stdout, stderr }] of ends.entries()) {
      const [, wanted = "", shown = ""] = calls[index] ?? [];
      expect([code, stderr]).toEqual([2, expect.stringMatching(wanted)]);
      expect(stdout).toContain(shown);
    }
  });
});

test("--help and --version tell, and end with 0", async () => {
  const calls = [
    [["--help"], /dev\s+Runs a server/],
    [["dev", "--help"], /--port=<number>[\s\S]*--path=<path>/],
    [["key", "add", "--help"], /USAGE fanfare key add \[OPTIONS\] <NAME>/],
    [["--version"], /^\d+\.\d+\.\d+/],
  ] as const;
  const ends = await Promise.all(calls.map(([args]) => new Command(args).end()));
  for (const [index, { code, stdout }] of ends.entries()) {
    expect([code, stdout]).toEqual([0, expect.stringMatching(calls[index]?.[1] ?? "")]);
  }
});

/** The addresses on which this process listens at a port, from the kernel's tables. */
async function listeningAddresses(pid: number, port: number): Promise<string[]> {
  const wanted = port.toString(16).toUpperCase().padStart(4, "0");
  const addresses: string[] = [];
  for (const table of ["tcp", "tcp6"]) {
    const [, ...lines] = (await readFile(`/proc/${pid}/net/${table}`, "utf8")).trim().split("\n");
    for (const line of lines) {
      const [, local = "", , state] = line.trim().split(/\s+/);
      const [address = "", at] = local.split(":");
      if (at === wanted && state === "0A") addresses.push(address);
    }
  }
  return addresses;
}
