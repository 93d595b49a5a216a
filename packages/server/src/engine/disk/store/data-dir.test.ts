import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../../testing/a-folder.js";
import { Lines } from "../../../testing/lines.js";
import {
  appendAll,
  BUSY,
  draft,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  numbersTo,
  OTHER,
} from "../../contract/harness.contract.js";
import { DiskEngine } from "../disk-engine.js";

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
    await expect(second).rejects.toMatchObject({ code: "data_dir_in_use" });
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
    const taking = join(dataDir, "lock.sock.taking-1");
    writeFileSync(taking, "");
    const longAgo = new Date(Date.now() - 60_000);
    utimesSync(taking, longAgo, longAgo);
    expect((await headOf(await open(dataDir), BUSY)).offset).toBe(200);
    expect(readdirSync(dataDir)).not.toContain("lock.sock.taking-1");
  });

  test("is free at once when whoever had it was killed", async () => {
    const dataDir = await used();
    await killedIn(dataDir);
    expect((await headOf(await open(dataDir), BUSY)).offset).toBe(200);
  });
});

describe("what others may read", () => {
  test("is none of the files, also in a folder that was there before", async () => {
    const dataDir = aFolder();
    chmodSync(dataDir, 0o755);
    await appendAll(await open(dataDir), BUSY, [1]);
    const readable = readdirSync(dataDir).filter((name) => statSync(join(dataDir, name)).mode & 0o077);
    expect(readable).toEqual([]);
    expect(readdirSync(dataDir)).toEqual(
      expect.arrayContaining(["data.mdb", "data.mdb-lock", "format.json"]),
    );
  });

  test("is warned of once, with what to do, where the folder lets them in", async () => {
    const dataDir = aFolder();
    const [logger, later] = [new Lines(), new Lines()];
    chmodSync(dataDir, 0o750);
    await (await DiskEngine.open({ dataDir, logger })).close();
    await (await DiskEngine.open({ dataDir, logger: later })).close();
    expect(logger.lines).toEqual([
      {
        level: "warn",
        remedy: `chmod 700 ${dataDir}`,
        message: `other users of this machine may open ${dataDir} (its mode is 750); new files in it are for this user only`,
      },
    ]);
    expect(later.lines).toEqual([]);
  });

  test("is not warned of where the folder is closed to them", async () => {
    const logger = new Lines();
    await (await DiskEngine.open({ dataDir: aFolder(), logger })).close();
    expect(logger.lines).toEqual([]);
  });
});

describe("a folder that goes while it is used", () => {
  /** With one message in it. */
  async function inUse() {
    const dataDir = join(aFolder(), "data");
    const logger = new Lines();
    const engine = await DiskEngine.open({ dataDir, logger });
    onTestFinished(() => engine.close());
    return { dataDir, logger, engine, position: await appendAll(engine, BUSY, [1]) };
  }
  const refused = { code: "unavailable", remedy: expect.stringContaining("The log of the server says") };

  test("is noticed: nothing is acknowledged any more, what is there can be read, and the log says so once", async () => {
    const { dataDir, logger, engine } = await inUse();
    rmSync(dataDir, { recursive: true });
    await engine.sweep();
    await engine.sweep();
    expect(engine.trouble).toBe("gone");
    const publishing = engine.logs.append(BUSY, draft(2), KEEP_ALL);
    await expect(publishing).rejects.toMatchObject(refused);
    await expect(publishing).rejects.toThrow("was removed or replaced");
    await expect(engine.sessions.put("h", "s", 1000)).rejects.toMatchObject(refused);
    expect(await engine.logs.read(BUSY, null, NO_LIMIT)).toMatchObject({
      head: 1,
      messages: [{ offset: 1 }],
    });
    expect(logger.lines).toMatchObject([
      { level: "error", remedy: expect.stringContaining("Put back the same folder") },
    ]);
    expect(logger.lines[0]?.message).toContain(dataDir);
  });

  test("is used again when it is put back, but not when a copy stands in its place", async () => {
    const { dataDir, logger, engine, position } = await inUse();
    renameSync(dataDir, `${dataDir}-away`);
    await engine.sweep();
    expect(engine.trouble).toBe("gone");
    cpSync(`${dataDir}-away`, dataDir, { recursive: true, filter: (name) => !name.endsWith(".sock") });
    await engine.sweep();
    expect(engine.trouble).toBe("gone");
    await expect(engine.logs.append(BUSY, draft(2), KEEP_ALL)).rejects.toThrow("was removed or replaced");

    rmSync(dataDir, { recursive: true });
    renameSync(`${dataDir}-away`, dataDir);
    await engine.sweep();
    expect(engine.trouble).toBeNull();
    expect(await appendAll(engine, BUSY, [2])).toStrictEqual({ ...position, offset: 2 });
    expect(logger.lines.map(({ level }) => level)).toEqual(["error", "info"]);
  });

  test("is noticed, too, where only the lock is gone, since another process could come in", async () => {
    const { dataDir, engine } = await inUse();
    rmSync(join(dataDir, "lock.sock"));
    await engine.sweep();
    expect(engine.trouble).toBe("gone");
  });
});

describe("a store that cannot be used is left as it is, with a message that says what to do", () => {
  const damaged = {
    code: "data_dir_damaged",
    remedy: expect.stringContaining("docs/storage.md"),
  };

  test("when it is of another version", async () => {
    const dataDir = await used();
    writeFileSync(join(dataDir, "format.json"), '{"fanfare":"disk","format":1}\n');
    const opening = DiskEngine.open({ dataDir });
    await expect(opening).rejects.toMatchObject({ code: "data_dir_other_format" });
    await expect(opening).rejects.toThrow(`${dataDir} is of format 1, and this version reads format 2`);
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
    await expect(opening).rejects.toMatchObject({ code: "data_dir_unreadable" });
    await expect(opening).rejects.toThrow(file);
  });

  test.each(["data.mdb", "format.json"])("when it cannot be known whether its %s is there", async (name) => {
    const dataDir = await used();
    rmSync(join(dataDir, name));
    symlinkSync(name, join(dataDir, name));
    const opening = DiskEngine.open({ dataDir });
    await expect(opening).rejects.toMatchObject({ code: "data_dir_unreadable" });
    await expect(opening).rejects.toThrow("ELOOP");
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
    const page = await restored.logs.read(BUSY, lost, NO_LIMIT);
    expect(page).toMatchObject({ head: 200, first: 1, lost: "restarted" });
    expect(await restored.logs.read(OTHER, born, NO_LIMIT)).toMatchObject({ lost: "restarted" });
    await restored.close();
    const { epoch } = await headOf(await open(backup), BUSY);
    expect(epoch).toBe(page.epoch);
  });

  test("that was opened on a full disk stays the same from when there is room again", async () => {
    const dataDir = await used();
    writeFileSync(join(dataDir, "restored"), "");
    let free = 0;
    const restored = await DiskEngine.open({ dataDir, askFree: async () => free });
    onTestFinished(() => restored.close());
    const { epoch } = await headOf(restored, OTHER);
    free = 2 ** 30;
    await restored.sweep();
    expect(readdirSync(dataDir)).not.toContain("restored");
    await restored.close();
    expect((await headOf(await open(dataDir), OTHER)).epoch).toBe(epoch);
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
