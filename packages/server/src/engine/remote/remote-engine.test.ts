import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FanfareError } from "@fanfare/protocol";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { connectInFolder } from "../../base/folder-socket.js";
import { FakeClock } from "../../testing/fake-clock.js";
import { BUSY, draft, Heard, KEEP_ALL } from "../contract/harness.contract.js";
import { engineContract } from "../engine.contract.js";
import { MemoryEngine } from "../memory/memory-engine.js";
import { ENGINE_SOCKET, EngineServer } from "./engine-server.js";
import { FrameReader, FrameWriter } from "./frames.js";
import type { EngineMessage } from "./messages.js";
import { RemoteEngine } from "./remote-engine.js";

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "fanfare-engine-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** An engine that is served, and a node. */
async function open(options: { readonly maxWaitingBytes?: number } = {}) {
  const clock = new FakeClock();
  const inner = new MemoryEngine({ clock });
  const parts = { folder: folder(), clock };
  const server = await EngineServer.open({ ...parts, ...options, engine: inner });
  const engine = await RemoteEngine.open(parts);
  onTestFinished(async () => {
    await engine.close();
    await server.close();
    await inner.close();
  });
  return { clock, inner, parts, server, engine };
}

/** Waits, a turn of the event loop at a time. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise(setImmediate);
}

/** The code of the error that it is rejected with; `null` when it is not. */
async function codeOf(answer: Promise<unknown>): Promise<string | null> {
  try {
    await answer;
    return null;
  } catch (error) {
    if (error instanceof FanfareError) return error.code;
    throw error;
  }
}

engineContract("RemoteEngine", async ({ clock, limits }) => {
  const inner = new MemoryEngine({ clock, ...limits });
  const parts = { folder: folder(), clock };
  const server = await EngineServer.open({ ...parts, engine: inner });
  const [engine, peer] = [await RemoteEngine.open(parts), await RemoteEngine.open(parts)];
  return {
    engine,
    peer,
    async passTime(ms) {
      // What was said before has arrived.
      await Promise.all([engine.now(), peer.now()]);
      clock.advance(ms);
    },
    startOver: (channel) => inner.startOver(channel),
    async dispose() {
      await server.close();
      await inner.close();
    },
  };
});

describe("an engine in another process", () => {
  test("that goes away and comes back is reached again; listeners are told since when they may have missed something", async () => {
    const { inner, parts, server, engine, clock } = await open();
    const heard = new Heard();
    await engine.logs.listen(BUSY, heard);
    const signals: string[] = [];
    engine.signals.on("news", (json) => signals.push(json));
    await server.close();
    await until(async () => (await codeOf(engine.now())) === "unavailable");
    await inner.logs.append(BUSY, draft("missed"), KEEP_ALL);
    const lostAt = clock.now();

    const again = await EngineServer.open({ ...parts, engine: inner });
    onTestFinished(() => again.close());
    await until(async () => {
      clock.advance(2000);
      return (await codeOf(engine.now())) === null;
    });
    await heard.until("being deaf", () => heard.deafSince.length > 0);
    expect(heard.deafSince).toEqual([lostAt]);
    await inner.logs.append(BUSY, draft("heard"), KEEP_ALL);
    await heard.untilOffset(2);
    expect(heard.offsets).toEqual([2]);
    await until(async () => {
      await inner.signals.send("news", "1");
      return signals.length > 0;
    });
  });

  test("fails the calls that wait when the connection is lost", async () => {
    const { inner, server, engine } = await open();
    vi.spyOn(inner.logs, "heads").mockReturnValue(new Promise(() => {}));
    const waiting = codeOf(engine.logs.heads([BUSY]));
    await engine.now();
    await server.close();
    expect(await waiting).toBe("unavailable");
  });

  test("tells a node that reads nothing for a while that it missed something, and keeps a bounded number of bytes for it", async () => {
    const { inner, parts, engine: busy } = await open({ maxWaitingBytes: 100_000 });
    const stuck = await connectInFolder(parts.folder, ENGINE_SOCKET);
    if (!stuck) throw new Error("no engine listens");
    onTestFinished(() => void stuck.destroy());
    const messages: EngineMessage[] = [];
    const reader = new FrameReader((some) => messages.push(...(some as EngineMessage[])));
    const writer = new FrameWriter(stuck, parts.clock);
    writer.add(JSON.stringify(["listen", 1, BUSY, 7]));
    writer.flush();
    await until(async () => (await busy.logs.list(null, 1)).length > 0);
    // More than the system keeps for a socket, and than the server may.
    const large = "x".repeat(50_000);
    for (let count = 0; count < 100; count++) await inner.logs.append(BUSY, draft(large), KEEP_ALL);
    stuck.on("data", (part) => reader.read(part));
    await until(async () => messages.some(([kind]) => kind === "deaf"));
    const entries = messages.filter(([kind]) => kind === "entry");
    expect(entries.length).toBeLessThan(100);
    expect(messages.at(-1)).toEqual(["deaf", 7, parts.clock.now()]);
    await inner.logs.append(BUSY, draft("after"), KEEP_ALL);
    await until(async () => messages.at(-1)?.[0] === "entry");
  });

  test("says that it takes no messages, and when it takes them again", async () => {
    const { inner, engine, clock } = await open();
    expect(engine.trouble).toBeNull();
    const trouble = vi.spyOn(inner, "trouble", "get").mockReturnValue("full");
    clock.advance(1000);
    await until(async () => engine.trouble === "full");
    trouble.mockReturnValue(null);
    clock.advance(1000);
    await until(async () => engine.trouble === null);
  });

  test("refuses a second one in the same folder, and a node without one", async () => {
    const { parts, inner } = await open();
    await expect(EngineServer.open({ ...parts, engine: inner })).rejects.toMatchObject({
      code: "unavailable",
    });
    const none = { ...parts, folder: folder() };
    await expect(RemoteEngine.open(none)).rejects.toMatchObject({
      code: "unavailable",
      message: `no process serves an engine in ${none.folder}`,
    });
  });

  test("cuts off who sends no frames, and serves the others", async () => {
    const { parts, engine } = await open();
    const stranger = await connectInFolder(parts.folder, ENGINE_SOCKET);
    if (!stranger) throw new Error("no engine listens");
    const closed = new Promise((done) => stranger.once("close", done));
    stranger.on("error", () => {});
    stranger.resume();
    stranger.write("GET / HTTP/1.1\r\n\r\n");
    await closed;
    expect(await engine.now()).toBe(parts.clock.now());
  });
});
