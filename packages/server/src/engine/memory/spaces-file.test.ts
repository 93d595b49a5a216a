import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Log, silentLog } from "../../base/log.js";
import { Lines } from "../../testing/lines.js";
import { opener } from "../contract/harness.contract.js";
import { spaceContract } from "../contract/space.contract.js";
import type { Space } from "../space.js";
import { MemoryEngine } from "./memory-engine.js";
import { SpacesFile } from "./spaces-file.js";

describe("MemoryEngine with a dataDir as an engine", () => {
  spaceContract(
    opener(({ clock, limits }) => {
      const dataDir = folder();
      const open = () => new MemoryEngine({ clock, ...limits, dataDir, allowIsolated: true });
      return { engine: open(), peer: open() };
    }),
  );
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return join(made, "data");
}

interface Opened {
  readonly file: SpacesFile;
  readonly space: Space;
  readonly path: string;
}

function open(where: string, log: Log = silentLog): Opened {
  const file = new SpacesFile(where, log);
  return { file, space: file.space("access"), path: file.path };
}

/** Sets what is not there yet. */
async function add({ space }: Opened, key: string): Promise<void> {
  expect(await space.compareAndSet(key, null, `${key}!`)).toBe(true);
}

async function keysOf({ space }: Opened): Promise<string[]> {
  return (await space.list(null, 100)).map(({ key }) => key);
}

describe("the file of spaces", () => {
  test("is made when there is something to keep, for its owner only", async () => {
    const where = folder();
    const opened = open(where);
    expect(await keysOf(opened)).toEqual([]);
    expect(statSync(where, { throwIfNoEntry: false })).toBeUndefined();
    await add(opened, "a");
    expect(statSync(where).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(where)) expect(statSync(join(where, name)).mode & 0o777).toBe(0o600);
    expect(await keysOf(open(where))).toEqual(["a"]);
  });

  test("is seen by all who use it, and loses no change of two at once", async () => {
    const where = folder();
    const [one, other] = [open(where), open(where)];
    const before = await other.space.version();
    await add(one, "first");
    expect(await other.space.version()).not.toBe(before);
    expect(await keysOf(other)).toEqual(["first"]);
    const names = Array.from({ length: 20 }, (_, index) => `k${index}`);
    await Promise.all(names.map((name, index) => add(index % 2 ? one : other, name)));
    expect(await keysOf(open(where))).toHaveLength(21);
  });

  test("goes on when a process was killed while it wrote, however many wait for its lock", async () => {
    const where = folder();
    const opened = [open(where), open(where), open(where)] as const;
    await add(opened[0], "a");
    const [lock = ""] = readdirSync(where).filter((name) => name.startsWith("spaces.json.lock-"));
    writeFileSync(join(where, lock), "");
    const before = Date.now() / 1000 - 60;
    utimesSync(join(where, lock), before, before);
    await Promise.all(opened.map((each, index) => add(each, `k${index}`)));
    expect(await keysOf(open(where))).toHaveLength(4);
    expect(readdirSync(where).filter((name) => name.includes("lock"))).toHaveLength(1);
  });

  test("says which sum is its checksum", async () => {
    const opened = open(folder());
    await add(opened, "a");
    const { spaces, ...rest } = JSON.parse(readFileSync(opened.path, "utf8"));
    expect(spaces).toEqual({ access: [["a", "a!"]] });
    const sha256 = createHash("sha256").update(JSON.stringify(spaces)).digest("hex");
    expect(rest).toEqual({ fanfare: "spaces", format: 1, sha256 });
  });

  test.each<[string, (text: string) => string]>([
    ["holds no JSON", () => "{"],
    ["is of another format", (text) => text.replace('"format": 1', '"format": 2')],
    ["has values that are none", (text) => text.replace('"a!"', "1")],
    ["was changed by hand or by the disk", (text) => text.replace("a!", "b!")],
    ["has no checksum", (text) => text.replace(/ "sha256": .*\n/, "")],
  ])("that %s stops a start, and changes nothing of what runs", async (_, spoil) => {
    const where = folder();
    const log = new Lines();
    const opened = open(where, log);
    await add(opened, "a");
    const text = spoil(readFileSync(opened.path, "utf8"));
    writeFileSync(opened.path, text);
    await opened.space.version();
    expect(log.lines.map(({ message }) => message)).toEqual(["keys and revocations stay as they were"]);
    expect(() => new SpacesFile(where, silentLog)).toThrow(/spaces\.json is not what Fanfare wrote/);
    expect(() => new MemoryEngine({ dataDir: where })).toThrow(/spaces\.json is not what Fanfare wrote/);
    await expect(opened.space.compareAndSet("b", null, "b!")).rejects.toMatchObject({ code: "unavailable" });
    expect(await keysOf(opened)).toEqual(["a"]);
    expect(readFileSync(opened.path, "utf8")).toBe(text);
    expect(log.lines).toHaveLength(1);
  });

  test.each<[string, (path: string, where: string) => void]>([
    ["is deleted", (path) => rmSync(path)],
    ["vanishes with its folder", (_, where) => rmSync(where, { recursive: true })],
    [
      "gets a file in the place of its folder",
      (_, where) => {
        rmSync(where, { recursive: true });
        writeFileSync(where, "");
      },
    ],
    [
      "becomes a folder",
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
    [
      "becomes a link to itself",
      (path) => {
        rmSync(path);
        symlinkSync(path, path);
      },
    ],
    ["is cut off", (path) => truncateSync(path, 20)],
    ["is emptied", (path) => truncateSync(path, 0)],
    ["is overwritten with something else", (path) => writeFileSync(path, "\u0000\u0001")],
  ])("that %s while it is in use is remembered as it was, and this is said once", async (_, harm) => {
    const where = folder();
    const log = new Lines();
    const opened = open(where, log);
    await add(opened, "a");
    const before = await opened.space.version();
    const kept = folder();
    await add(open(kept), "put back");
    harm(opened.path, where);
    for (let look = 0; look < 10; look++) expect(await opened.space.version()).toBe(before);
    expect(await keysOf(opened)).toEqual(["a"]);
    expect(log.lines).toEqual([
      {
        level: "error",
        message: "keys and revocations stay as they were",
        remedy: expect.stringMatching(/^Put back/),
      },
    ]);
    // Another is put in its place, and counts.
    rmSync(where, { recursive: true, force: true });
    mkdirSync(where);
    copyFileSync(join(kept, "spaces.json"), opened.path);
    expect(await opened.space.version()).not.toBe(before);
    expect(await keysOf(opened)).toEqual(["put back"]);
    expect(opened.file.trouble).toBeNull();
    expect(log.lines.at(-1)).toMatchObject({ level: "info" });
  });

  test.each([true, false])(
    "that is deleted is made again, whole, by the next change; it was missed: %s",
    async (missed) => {
      const opened = open(folder());
      await add(opened, "a");
      rmSync(opened.path);
      if (missed) await opened.space.version();
      expect(opened.file.trouble).toBe(missed ? "gone" : null);
      await add(opened, "b");
      expect(await keysOf(opened)).toEqual(["a", "b"]);
      expect(readFileSync(opened.path, "utf8").match(/"[ab]!"/g)).toHaveLength(2);
      expect(opened.file.trouble).toBeNull();
    },
  );

  test.each([true, false])(
    "whose folder vanished is not made again by a change; it was missed: %s",
    async (missed) => {
      const where = folder();
      const opened = open(where);
      await add(opened, "a");
      rmSync(where, { recursive: true });
      if (missed) await opened.space.version();
      await expect(add(opened, "b")).rejects.toMatchObject({ code: "unavailable" });
      expect(existsSync(where)).toBe(false);
      expect(await keysOf(opened)).toEqual(["a"]);
    },
  );

  test("is for its owner only, also where a process that was killed left one for everybody", async () => {
    const opened = open(folder());
    await add(opened, "a");
    writeFileSync(`${opened.path}.next`, "left", { mode: 0o666 });
    chmodSync(`${opened.path}.next`, 0o666);
    await add(opened, "b");
    expect(statSync(opened.path).mode & 0o777).toBe(0o600);
  });

  test("has nothing of a space that may be lost with the process", async () => {
    const dataDir = folder();
    const engine = new MemoryEngine({ dataDir });
    const volatile = engine.space("tickets", { volatile: true });
    expect(await volatile.compareAndSet("a", null, "1")).toBe(true);
    expect([volatile.durable, engine.space("access").durable]).toEqual([false, true]);
    expect(existsSync(dataDir)).toBe(false);
    await engine.close();
  });
});
