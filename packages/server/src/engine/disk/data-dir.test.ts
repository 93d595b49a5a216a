import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../testing/a-folder.js";
import { appendAll, BUSY, headOf, NO_LIMIT, numbersTo, OTHER } from "../contract/harness.contract.js";
import { DiskEngine } from "./disk-engine.js";

async function open(dataDir: string): Promise<DiskEngine> {
  const engine = await DiskEngine.open({ dataDir });
  onTestFinished(() => engine.close());
  return engine;
}

/** A folder with a store in it, which nobody uses. */
async function used(): Promise<string> {
  const dataDir = aFolder();
  const engine = await open(dataDir);
  await appendAll(engine, BUSY, numbersTo(200));
  await engine.close();
  return dataDir;
}

describe("a data folder", () => {
  test("is made with all above it, for this user only", async () => {
    const dataDir = join(aFolder(), "a", "b");
    await open(dataDir);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(readdirSync(dataDir)).toContain("data.mdb");
  });

  test("may have a path that is longer than a socket's may be", async () => {
    const dataDir = join(aFolder(), "long".repeat(40), "x".repeat(100));
    await appendAll(await open(dataDir), BUSY, [1]);
  });

  test("belongs to one engine, and says who has it", async () => {
    const dataDir = await used();
    const engine = await open(dataDir);
    const second = DiskEngine.open({ dataDir });
    await expect(second).rejects.toMatchObject({ name: "DataDirError", problem: "in_use" });
    await expect(second).rejects.toThrow(`the process ${process.pid} uses ${dataDir}`);
    await expect(second).rejects.toMatchObject({ remedy: expect.stringContaining("dataDir of its own") });
    await engine.close();
    await open(dataDir);
  });

  test("belongs to one of many that want it at once, also after somebody died in it", async () => {
    const dataDir = await used();
    for (let round = 0; round < 5; round++) {
      await killedIn(dataDir);
      const opened = await Promise.allSettled(numbersTo(8).map(() => DiskEngine.open({ dataDir })));
      const engines = opened.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
      for (const engine of engines) await engine.close();
      expect(engines).toHaveLength(1);
    }
  });

  test("is taken over although somebody died while he took it over", async () => {
    const dataDir = await used();
    await killedIn(dataDir);
    const taking = join(dataDir, "lock.taking");
    writeFileSync(taking, "");
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(taking, longAgo, longAgo);
    expect((await headOf(await open(dataDir), BUSY)).offset).toBe(200);
    expect(readdirSync(dataDir)).not.toContain("lock.taking");
  });

  test("is free at once when whoever had it was killed", async () => {
    const dataDir = await used();
    await killedIn(dataDir);
    expect((await headOf(await open(dataDir), BUSY)).offset).toBe(200);
  });
});

describe("a store that cannot be used is left as it is, with a message that says what to do", () => {
  const damaged = {
    name: "DataDirError",
    problem: "damaged",
    remedy: expect.stringContaining("docs/storage.md"),
  };

  test("when it is of another version", async () => {
    const dataDir = await used();
    writeFileSync(join(dataDir, "format.json"), '{"fanfare":"disk","format":2}\n');
    const opening = DiskEngine.open({ dataDir });
    await expect(opening).rejects.toMatchObject({ problem: "other_format" });
    await expect(opening).rejects.toThrow(`${dataDir} is of format 2, and this version reads format 1`);
  });

  test("when its file is gone", async () => {
    const dataDir = await used();
    rmSync(join(dataDir, "data.mdb"));
    await expect(DiskEngine.open({ dataDir })).rejects.toMatchObject(damaged);
    expect(readdirSync(dataDir)).not.toContain("data.mdb");
  });

  test("when its file was cut, emptied or is something else", async () => {
    const dataDir = await used();
    const file = join(dataDir, "data.mdb");
    const cuts = [Math.floor(statSync(file).size / 2), 100, 0];
    for (const bytes of cuts) {
      truncateSync(file, bytes);
      await expect(DiskEngine.open({ dataDir })).rejects.toMatchObject(damaged);
      expect(statSync(file).size).toBe(bytes);
    }
    writeFileSync(file, "x".repeat(50_000));
    await expect(DiskEngine.open({ dataDir })).rejects.toMatchObject(damaged);
  });

  test("when it is an empty store in the place of one", async () => {
    const dataDir = await used();
    const { open: openLmdb } = await import("lmdb");
    rmSync(join(dataDir, "data.mdb"));
    const empty = openLmdb({ path: join(dataDir, "data.mdb"), noSubdir: true });
    await empty.put("something", "else");
    await empty.close();
    await expect(DiskEngine.open({ dataDir })).rejects.toMatchObject(damaged);
  });

  test("when the place is no folder, or somebody else's", async () => {
    const file = join(aFolder(), "file");
    writeFileSync(file, "");
    const opening = DiskEngine.open({ dataDir: file });
    await expect(opening).rejects.toMatchObject({ problem: "unreadable" });
    await expect(opening).rejects.toThrow(file);
  });

  test("but what was cut off while it was made is made anew", async () => {
    const dataDir = aFolder();
    writeFileSync(join(dataDir, "data.mdb"), "");
    await appendAll(await open(dataDir), BUSY, [1]);
  });
});

describe("a backup", () => {
  test("that is marked as restored has other epochs, so that no client goes on where it was not", async () => {
    const dataDir = await used();
    const backup = aFolder();
    for (const name of ["data.mdb", "format.json"]) copyFileSync(join(dataDir, name), join(backup, name));
    const later = await open(dataDir);
    const lost = await appendAll(later, BUSY, ["lost"]);
    const born = await headOf(later, OTHER);
    await later.close();

    writeFileSync(join(backup, "restored"), "");
    const restored = await open(backup);
    const page = await restored.read(BUSY, lost, NO_LIMIT);
    expect(page).toMatchObject({ head: 200, first: 1, lost: "restarted" });
    expect(await restored.read(OTHER, born, NO_LIMIT)).toMatchObject({ lost: "restarted" });
    await restored.close();
    const { epoch } = await headOf(await open(backup), BUSY);
    expect(epoch).toBe(page.epoch);
  });
});

/** Somebody took the folder's lock, and was killed. */
async function killedIn(dataDir: string): Promise<void> {
  const program = `require("node:net").createServer().listen("lock.sock", () => console.log("listening"))`;
  const child: ChildProcess = spawn(process.execPath, ["-e", program], { cwd: dataDir });
  if (child.stdout) await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "close");
}
