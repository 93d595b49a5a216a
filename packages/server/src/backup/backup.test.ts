import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ACCESS_SPACE, AccessStore } from "../access/store/store.js";
import { systemClock } from "../base/clock.js";
import { silentLog } from "../base/log.js";
import {
  appendAll,
  BUSY,
  draft,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  numbersTo,
  OTHER,
  QUIET,
  setState,
  valuesOf,
} from "../engine/contract/harness.contract.js";
import { DiskEngine } from "../engine/disk/disk-engine.js";
import { SpacesFile } from "../engine/memory/spaces-file.js";
import type { Space } from "../engine/space.js";
import { aFolder } from "../testing/a-folder.js";
import { damage } from "../testing/damage.js";
import { backUp } from "./backup.js";
import { restore } from "./restore.js";

const TAKEN = new Date("2026-01-31T12:00:00Z");
const LATER = { replace: false, now: new Date("2026-02-01T12:00:00Z") };
const REPLACING = { ...LATER, replace: true };

/** A data folder that nobody uses, with everything in it. */
async function filled() {
  const dataDir = join(aFolder(), "data");
  const engine = await DiskEngine.open({ dataDir });
  const position = await appendAll(engine, BUSY, numbersTo(200));
  await setState(engine, OTHER, { status: "open" });
  const idempotency = { key: "k", principal: "p" };
  await engine.logs.append(OTHER, draft("paid", { idempotency }), KEEP_ALL);
  await engine.sessions.put("h", "session", 3_600_000);
  await logOutEve(engine.space(ACCESS_SPACE));
  const born = await headOf(engine, QUIET);
  await engine.close();
  // As the memory engine keeps them.
  await logOutEve(new SpacesFile(dataDir, silentLog).space(ACCESS_SPACE));
  return { dataDir, position, born, backup: join(aFolder(), "backup") };
}

async function logOutEve(space: Space): Promise<void> {
  const store = new AccessStore({ space, clock: systemClock, log: silentLog });
  const until = Date.now() + 3_600_000;
  await store.change((data) => ({ ...data, revokedUsers: [{ user: "eve", at: 1, until }] }));
  store.close();
}

async function loggedOut(space: Space): Promise<string[]> {
  const store = new AccessStore({ space, clock: systemClock, log: silentLog });
  await store.loaded();
  store.close();
  return store.data.revokedUsers.map(({ user }) => user);
}

async function open(dataDir: string): Promise<DiskEngine> {
  const engine = await DiskEngine.open({ dataDir });
  onTestFinished(() => engine.close());
  return engine;
}

describe("a backup", () => {
  test("has everything, for this user only, and says what its files are", async () => {
    const { dataDir, backup } = await filled();
    const { folder, records, files } = await backUp(dataDir, backup, TAKEN);
    expect(folder).toBe(backup);
    expect(records).toBeGreaterThan(200);
    expect(files.map(({ name }) => name)).toEqual(["spaces.json", "format.json", "data.mdb"]);
    expect(readdirSync(backup).sort()).toEqual([
      "backup.json",
      "data.mdb",
      "format.json",
      "restored",
      "spaces.json",
    ]);
    expect(statSync(backup).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(backup)) expect(statSync(join(backup, name)).mode & 0o777).toBe(0o600);
    expect(readdirSync(dirname(backup))).toEqual(["backup"]);
  });

  test("is refused where the folder is there, where there is nothing, and of a damaged store; nothing is left behind", async () => {
    const { dataDir, backup } = await filled();
    mkdirSync(backup);
    await expect(backUp(dataDir, backup, TAKEN)).rejects.toThrow(`${backup} is there already`);
    rmSync(backup, { recursive: true });
    await expect(backUp(aFolder(), backup, TAKEN)).rejects.toThrow("there is nothing to back up");
    await expect(backUp(dataDir, join(dataDir, "data.mdb", "no"), TAKEN)).rejects.toMatchObject({
      code: "data_dir_unreadable",
    });
    damage(join(dataDir, "data.mdb"), '"paid"');
    await expect(backUp(dataDir, backup, TAKEN)).rejects.toMatchObject({
      code: "data_dir_damaged",
      message: expect.stringContaining("a record in messages is not what was written"),
    });
    expect(readdirSync(dirname(backup))).toEqual([]);
  });

  test("of a folder with keys only has those", async () => {
    const { dataDir, backup } = await filled();
    for (const name of ["data.mdb", "format.json"]) rmSync(join(dataDir, name));
    expect(await backUp(dataDir, backup, TAKEN)).toMatchObject({
      records: null,
      files: [{ name: "spaces.json" }],
    });
    const target = join(aFolder(), "target");
    expect(await restore(backup, target, LATER)).toMatchObject({ hasStore: false, replaced: null });
    expect(readdirSync(target)).toEqual(["spaces.json"]);
  });

  test("is not taken of keys that cannot be read", async () => {
    const { dataDir, backup } = await filled();
    writeFileSync(join(dataDir, "spaces.json"), "{}");
    await expect(backUp(dataDir, backup, TAKEN)).rejects.toThrow("is not what Fanfare wrote");
    expect(existsSync(backup)).toBe(false);
  });
});

describe("restoring", () => {
  test("gives back everything, and no position that was told since is honoured", async () => {
    const { dataDir, backup, position, born } = await filled();
    await backUp(dataDir, backup, TAKEN);
    const later = await open(dataDir);
    const lost = await appendAll(later, BUSY, ["lost"]);
    await later.close();

    const target = join(aFolder(), "target");
    expect(await restore(backup, target, LATER)).toEqual({
      folder: target,
      taken: TAKEN,
      replaced: null,
      hasStore: true,
    });
    const engine = await open(target);
    const page = await engine.logs.read(BUSY, lost, NO_LIMIT);
    expect(page).toMatchObject({ head: 200, first: 1, lost: "restarted" });
    expect(valuesOf(page.messages)).toEqual(numbersTo(200));
    for (const told of [position, born]) expect(page.epoch).not.toBe(told.epoch);
    expect(await engine.logs.read(QUIET, born, NO_LIMIT)).toMatchObject({ head: 0, lost: "restarted" });
    expect(await engine.logs.state(OTHER)).toMatchObject({ json: '{"status":"open"}', offset: 1 });
    const idempotency = { key: "k", principal: "p" };
    const repeated = await engine.logs.append(OTHER, draft("paid", { idempotency }), KEEP_ALL);
    expect(repeated).toMatchObject({ offset: 2, repeated: true });
    expect(await engine.sessions.take("h")).toBe("session");
    expect(await loggedOut(engine.space(ACCESS_SPACE))).toEqual(["eve"]);
    expect(await loggedOut(new SpacesFile(target, silentLog).space(ACCESS_SPACE))).toEqual(["eve"]);
    // Once: the next start goes on where this one stood.
    const { epoch } = await headOf(engine, BUSY);
    await engine.close();
    expect(await headOf(await open(target), BUSY)).toMatchObject({ epoch });
  });

  test("twice from one backup gives other epochs each time", async () => {
    const { dataDir, backup } = await filled();
    await backUp(dataDir, backup, TAKEN);
    const target = join(aFolder(), "target");
    const epochs = new Set<string>();
    for (let round = 0; round < 3; round++) {
      await restore(backup, target, { replace: true, now: new Date(round) });
      const engine = await open(target);
      epochs.add((await headOf(engine, BUSY)).epoch);
      await engine.close();
    }
    expect(epochs.size).toBe(3);
  });

  test("refuses what is there, and changes nothing; asked to, moves it to a folder of its own", async () => {
    const { dataDir, backup } = await filled();
    await backUp(dataDir, backup, TAKEN);
    const before = readdirSync(dataDir);
    await expect(restore(backup, dataDir, LATER)).rejects.toMatchObject({
      message: `${dataDir} holds spaces.json, format.json, data.mdb already`,
      remedy: expect.stringContaining("--replace"),
    });
    expect(readdirSync(dataDir)).toEqual(before);

    const later = await open(dataDir);
    await appendAll(later, BUSY, ["later"]);
    await later.close();
    const { replaced } = await restore(backup, dataDir, REPLACING);
    expect(replaced).toBe(join(dataDir, "replaced-2026-02-01T12-00-00.000Z"));
    expect((await headOf(await open(dataDir), BUSY)).offset).toBe(200);
    // What was there can be used again.
    expect((await headOf(await open(replaced ?? ""), BUSY)).offset).toBe(201);
    expect(existsSync(join(replaced ?? "", "spaces.json"))).toBe(true);
  });

  test("refuses a folder that is in use", async () => {
    const { dataDir, backup } = await filled();
    await backUp(dataDir, backup, TAKEN);
    await open(dataDir);
    await expect(restore(backup, dataDir, REPLACING)).rejects.toMatchObject({ code: "data_dir_in_use" });
  });

  const spoilt: Record<string, (backup: string) => void> = {
    "without its list": (backup) => rmSync(join(backup, "backup.json")),
    "of another format": (backup) => rewrite(join(backup, "backup.json"), /"format": \d+/, '"format": 99'),
    "with a list of something else": (backup) => writeFileSync(join(backup, "backup.json"), "{}"),
    "that names other files": (backup) =>
      rewrite(join(backup, "backup.json"), "spaces.json", "../spaces.json"),
    "without its data": (backup) => rmSync(join(backup, "data.mdb")),
    "that was cut": (backup) =>
      writeFileSync(join(backup, "data.mdb"), readFileSync(join(backup, "data.mdb")).subarray(0, 9000)),
    "of which a byte is another": (backup) => damage(join(backup, "data.mdb"), '"paid"'),
    "whose keys were edited": (backup) => rewrite(join(backup, "spaces.json"), "eve", "bob"),
  };
  for (const [name, spoil] of Object.entries(spoilt)) {
    test(`refuses a backup ${name}, and changes nothing`, async () => {
      const { dataDir, backup } = await filled();
      await backUp(dataDir, backup, TAKEN);
      spoil(backup);
      const before = readdirSync(dataDir);
      const restoring = restore(backup, dataDir, REPLACING);
      await expect(restoring).rejects.toMatchObject({
        code: expect.stringMatching(/^data_dir_(damaged|other_format)$/),
        remedy: expect.any(String),
      });
      expect(readdirSync(dataDir)).toEqual(before);
      expect((await headOf(await open(dataDir), BUSY)).offset).toBe(200);
    });
  }

  test("that was cut off on the way leaves a folder that a server refuses, not an empty store", async () => {
    const { dataDir, backup } = await filled();
    await backUp(dataDir, backup, TAKEN);
    const target = join(aFolder(), "target");
    mkdirSync(target);
    chmodSync(target, 0o700);
    await restore(backup, target, LATER);
    // As it is just before the data is put in place.
    rmSync(join(target, "data.mdb"));
    await expect(DiskEngine.open({ dataDir: target })).rejects.toMatchObject({ code: "data_dir_damaged" });
    await restore(backup, target, REPLACING);
    expect((await headOf(await open(target), BUSY)).offset).toBe(200);
  });
});

function rewrite(path: string, from: string | RegExp, to: string): void {
  writeFileSync(path, readFileSync(path, "utf8").replace(from, to));
}
