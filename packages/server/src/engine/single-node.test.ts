import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { describe, expect, onTestFinished, test } from "vitest";
import { MemoryEngine } from "./memory/memory-engine.js";
import { assertSingleNode } from "./single-node.js";

const ALONE = { isWorker: false };

describe("a single-node engine", () => {
  test.each([
    ["no pm2", {}],
    ["pm2 with one instance", { NODE_APP_INSTANCE: "0", instances: "1" }],
    ["pm2 that says nothing of instances", { NODE_APP_INSTANCE: "0" }],
    ["an empty instance number", { NODE_APP_INSTANCE: "" }],
    ["a variable that only looks like pm2's", { instances: "4" }],
  ])("runs in one process: %s", (_, env) => {
    expect(() => assertSingleNode(env, ALONE)).not.toThrow();
  });

  test.each([
    ["the first of several pm2 instances", { NODE_APP_INSTANCE: "0", instances: "4" }, "pm2 instance 0 of 4"],
    ["a later pm2 instance", { NODE_APP_INSTANCE: "3" }, "pm2 instance 3"],
    ["a later pm2 instance of many", { NODE_APP_INSTANCE: "1", instances: "max" }, "pm2 instance 1 of max"],
  ])("does not run in %s", (_, env, where) => {
    expect(() => assertSingleNode(env, ALONE)).toThrow(where);
  });

  test("does not run in a cluster worker, and says why and what to do", () => {
    const refused = () => assertSingleNode({}, { isWorker: true });
    expect(refused).toThrow(expect.objectContaining({ code: "single_node_engine" }));
    expect(refused).toThrow(/cluster worker.*silently miss/);
    expect(refused).toThrow(
      expect.objectContaining({
        code: "single_node_engine",
        remedy: expect.stringContaining("allowIsolated: true"),
      }),
    );
  });

  test("is made anywhere when it is meant to be isolated", async () => {
    process.env.NODE_APP_INSTANCE = "1";
    onTestFinished(() => {
      delete process.env.NODE_APP_INSTANCE;
    });
    expect(() => new MemoryEngine()).toThrow(expect.objectContaining({ code: "single_node_engine" }));
    await new MemoryEngine({ allowIsolated: true }).close();
  });

  test("is refused by the constructor in a real cluster worker, unless it is meant to be isolated", async () => {
    const exec = await writeWorker();
    cluster.setupPrimary({ exec, execArgv: [] });
    const worker: Worker = cluster.fork();
    onTestFinished(() => {
      worker.process.kill();
    });
    const [answer] = await once(worker, "message");
    expect(answer).toEqual({ refused: "single_node_engine", isolated: "made" });
  });
});

/** A program for a worker that tries to make the engine, both ways, and sends what came of it. */
async function writeWorker(): Promise<string> {
  const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const built = await build({
    configFile: false,
    logLevel: "silent",
    resolve: { alias: { "@fanfare/protocol": source("../../../protocol/src/index.ts") } },
    ssr: { noExternal: true },
    build: { ssr: source("memory/memory-engine.ts"), write: false, target: "node20" },
  });
  const [output] = Array.isArray(built) ? built : [built];
  const chunk = output && "output" in output ? output.output[0] : undefined;
  const directory = await mkdtemp(join(tmpdir(), "fanfare-worker-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, "memory-engine.mjs"), chunk?.code ?? "");
  const worker = join(directory, "worker.mjs");
  await writeFile(
    worker,
    `import { MemoryEngine } from "./memory-engine.mjs";
    const attempt = (options) => {
      try {
        new MemoryEngine(options);
        return "made";
      } catch (error) {
        return error.code;
      }
    };
    process.send({ refused: attempt({}), isolated: attempt({ allowIsolated: true }) }, () => process.disconnect());`,
  );
  return worker;
}
