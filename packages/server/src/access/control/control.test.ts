/** The socket by which the command asks a running server: what it answers, and that no caller harms it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { FanfareError } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemRandom } from "../../base/clock.js";
import { Failures } from "../../base/failures.js";
import { aFolder } from "../../testing/a-folder.js";
import { FakeClock } from "../../testing/fake-clock.js";
import { Lines } from "../../testing/lines.js";
import { newKey, type StoredKey } from "../store/keys.js";
import { type Control, MAX_REQUEST_BYTES } from "./calls.js";
import { runningServer } from "./control-client.js";
import { ControlServer } from "./control-server.js";

const GRANTS = [{ channels: "order:*", actions: ["publish"] }] as const;

/** Keys in memory. */
function someKeys(): Control & { readonly keys: StoredKey[] } {
  const keys: StoredKey[] = [];
  return {
    keys,
    listKeys: async () => keys,
    async addKey(wanted) {
      const made = newKey(wanted, 1, systemRandom);
      keys.push(made.stored);
      return made;
    },
    async revokeKey(id) {
      const index = keys.findIndex((key) => key.id === id);
      if (index < 0) return null;
      keys.splice(index, 1);
      return { pending: false };
    },
    async makeToken({ user }) {
      if (user === "broken") throw new TypeError("a fault inside");
      throw new FanfareError("not_configured", "there is no secret", { remedy: "Set one." });
    },
  };
}

async function serving(folder = aFolder()) {
  const control = someKeys();
  const log = new Lines();
  const clock = new FakeClock();
  const failures = new Failures(log);
  const server = new ControlServer({ folder, control, clock, failures, log });
  onTestFinished(() => server.close());
  await server.begun;
  return { folder, control, log, clock, failures, server, path: join(folder, "control.sock") };
}

async function asked(folder: string): Promise<Control> {
  const control = await runningServer(folder);
  if (!control) throw new Error("no server runs");
  return control;
}

/** A caller that says anything. */
async function raw(path: string): Promise<{ socket: Socket; text: () => string; closed: Promise<unknown> }> {
  const socket = connect(path);
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (bytes) => {
    text += String(bytes);
  });
  socket.on("error", () => {});
  const closed = once(socket, "close");
  await once(socket, "data");
  return { socket, text: () => text, closed };
}

async function says(path: string, line: string): Promise<unknown> {
  const { socket, text, closed } = await raw(path);
  socket.write(line);
  await closed;
  return JSON.parse(text().split("\n")[1] ?? "null");
}

describe("a server that is asked over its socket", () => {
  test("lists, makes and revokes keys, and tells no hash", async () => {
    const { folder, control } = await serving();
    const server = await asked(folder);
    const { key, stored } = await server.addKey({ name: "shop", grants: GRANTS });
    expect(key).toMatch(/^fanfare_/);
    expect(await server.listKeys()).toEqual([{ id: stored.id, name: "shop", grants: GRANTS, created: 1 }]);
    expect(control.keys[0]?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await server.revokeKey(stored.id)).toEqual({ pending: false });
    expect(await server.revokeKey(stored.id)).toBeNull();
  });

  test("answers errors with their code and remedy; what went wrong inside is only logged", async () => {
    const { folder, log, failures } = await serving();
    const server = await asked(folder);
    await expect(server.makeToken({ user: "alice", grants: [] })).rejects.toMatchObject({
      code: "not_configured",
      remedy: "Set one.",
    });
    await expect(server.addKey({ name: "", grants: [] })).rejects.toMatchObject({ code: "invalid_request" });
    await expect(server.makeToken({ user: "broken", grants: [] })).rejects.toMatchObject({
      code: "internal",
      message: expect.not.stringContaining("a fault inside"),
    });
    expect(failures.counts.background).toBe(1);
    expect(JSON.stringify(log.lines)).toContain("a callback failed");
  });

  test.skipIf(process.platform === "win32")(
    "may be opened by its user only, and leaves nothing behind",
    async () => {
      const folder = join(aFolder(), "made");
      const { path, server } = await serving(folder);
      expect(statSync(folder).mode & 0o777).toBe(0o700);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      await server.close();
      expect(readdirSync(folder)).toEqual([]);
      expect(await runningServer(folder)).toBeNull();
    },
  );

  test.each<[string, string, object]>([
    ["no JSON", "{\n", { code: "invalid_json" }],
    ["an empty line", "\n", { code: "invalid_json" }],
    ["no request", "[1]\n", { code: "invalid_request" }],
    ["another call", '{"protocol":1,"call":"stop"}\n', { code: "invalid_request" }],
    ["a call without its members", '{"protocol":1,"call":"addKey"}\n', { code: "invalid_request" }],
    [
      "grants that are none",
      '{"protocol":1,"call":"addKey","name":"a","grants":7}\n',
      { code: "invalid_grants" },
    ],
    [
      "another version",
      '{"protocol":2,"call":"listKeys"}\n',
      { code: "invalid_request", message: expect.stringContaining("version 2"), remedy: expect.any(String) },
    ],
    ["a line without an end", "x".repeat(MAX_REQUEST_BYTES + 1), { code: "too_large" }],
    ["a line that is too long", `${"x".repeat(MAX_REQUEST_BYTES + 1)}\n`, { code: "too_large" }],
  ])("refuses %s, and goes on", async (_, line, error) => {
    const { folder, path, failures } = await serving();
    expect(await says(path, line)).toMatchObject({ error });
    expect(await (await asked(folder)).listKeys()).toEqual([]);
    expect(failures.counts.background).toBe(0);
  });

  test("ends callers that say nothing in 5 seconds, that leave, and that are too many, and answers others", async () => {
    const { folder, path, clock } = await serving();
    const silent = await Promise.all(Array.from({ length: 64 }, () => raw(path)));
    const oneMore = connect(path);
    oneMore.on("error", () => {});
    expect(await Promise.race([once(oneMore, "close"), once(oneMore, "data")])).toEqual([
      expect.any(Boolean),
    ]);
    silent[0]?.socket.destroy();
    await silent[0]?.closed;
    await expect.poll(() => asked(folder).then((server) => server.listKeys()), { interval: 5 }).toEqual([]);
    clock.advance(5000);
    await Promise.all(silent.map(({ closed }) => closed));
  });

  test("takes over the socket of a process that was killed", async () => {
    const folder = aFolder();
    const program = `require("node:net").createServer().listen("control.sock", () => console.log("listening"))`;
    const child = spawn(process.execPath, ["-e", program], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "close");
    expect(readdirSync(folder)).toEqual(["control.sock"]);
    expect(await runningServer(folder)).toBeNull();
    await serving(folder);
    expect(await (await asked(folder)).listKeys()).toEqual([]);
  });

  test("leaves the socket to another server that lives, and answers when that one has ended", async () => {
    const folder = aFolder();
    const first = await serving(folder);
    await (await asked(folder)).addKey({ name: "first", grants: GRANTS });
    const second = await serving(folder);
    expect(second.log.lines.map(({ message }) => message)).toEqual([
      "another server answers the command fanfare in this folder",
    ]);
    expect(await (await asked(folder)).listKeys()).toHaveLength(1);
    await first.server.close();
    second.clock.advance(5000);
    await expect
      .poll(() => runningServer(folder).then((server) => server?.listKeys()), { interval: 5 })
      .toEqual([]);
  });

  test("that is closed while it tries again leaves no socket", async () => {
    const folder = aFolder();
    const first = await serving(folder);
    const second = await serving(folder);
    await first.server.close();
    second.clock.advance(5000);
    await second.server.close();
    await expect
      .poll(() => readdirSync(folder).filter((name) => name === "control.sock"), { interval: 5 })
      .toEqual([]);
    expect(await runningServer(folder)).toBeNull();
  });

  test("works in a folder whose path is longer than the path of a socket may be", async () => {
    const folder = join(aFolder(), "x".repeat(100), "y".repeat(100));
    mkdirSync(dirname(folder));
    const { log } = await serving(folder);
    if (log.lines.length > 0) {
      expect(log.lines).toMatchObject([{ level: "warn", remedy: expect.stringContaining("short path") }]);
      return;
    }
    expect(await (await asked(folder)).listKeys()).toEqual([]);
  });

  test("is told of where the folder cannot hold a socket, and nothing else fails", async () => {
    const file = join(aFolder(), "file");
    writeFileSync(file, "");
    const { log } = await serving(join(file, "data"));
    expect(log.lines).toMatchObject([{ level: "warn", remedy: expect.any(String) }]);
    expect(await runningServer(join(file, "data"))).toBeNull();
  });
});

describe("the command", () => {
  async function pretending(greeting: string): Promise<string> {
    const folder = aFolder();
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.end(greeting);
    }).listen(join(folder, "control.sock"));
    onTestFinished(() => void server.close());
    await once(server, "listening");
    return folder;
  }

  test("does not ask a server of another version, and says of which it is", async () => {
    const folder = await pretending('{"fanfare":"control","protocol":9,"version":"7.0.0","pid":1}\n');
    await expect(runningServer(folder)).rejects.toMatchObject({
      message: expect.stringContaining('"7.0.0"'),
      remedy: "Use the command of the same version.",
    });
  });

  test.each(["", "{}\n", "garbage\n", '{"fanfare"'])(
    "tells that a server which says %j does not answer",
    async (said) => {
      await expect(runningServer(await pretending(said))).rejects.toThrow(/does not answer/);
    },
  );

  test("finds no server in a folder that is not there, or that holds something else", async () => {
    const folder = aFolder();
    expect(await runningServer(join(folder, "none"))).toBeNull();
    writeFileSync(join(folder, "control.sock"), "");
    expect(await runningServer(folder)).toBeNull();
  });
});
