import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Clock, systemClock, systemRandom } from "../clock.js";
import { type Log, silentLog } from "../log.js";
import { FakeClock } from "../testing/fake-clock.js";
import { FileStore } from "./file-store.js";
import { newKey } from "./keys.js";
import type { AccessData } from "./store.js";

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return join(made, "data");
}

function open(where: string, log: Log = silentLog, clock: Clock = systemClock): FileStore {
  const store = new FileStore(where, log, clock);
  onTestFinished(() => store.close());
  return store;
}

const key = () => newKey({ name: "shop", grants: [] }, 1, systemRandom).stored;
const adding =
  (stored = key()) =>
  (data: AccessData) => ({ ...data, keys: [...data.keys, stored] });

describe("the file of keys and revocations", () => {
  test("is made when there is something to keep, for its owner only", async () => {
    const where = folder();
    const store = open(where);
    expect(store.data.keys).toEqual([]);
    expect(statSync(where, { throwIfNoEntry: false })).toBeUndefined();
    await store.change(adding());
    expect(statSync(where).mode & 0o777).toBe(0o700);
    expect(statSync(store.path).mode & 0o777).toBe(0o600);
    expect(open(where).data).toEqual(store.data);
  });

  test("is seen by all who use it, and loses no change of two at once", async () => {
    const where = folder();
    const clock = new FakeClock();
    const [one, other] = [open(where), open(where, silentLog, clock)];
    let told = 0;
    other.onChange(() => told++);
    await one.change(adding());
    clock.advance(500);
    expect(other.data).toEqual(one.data);
    clock.advance(500);
    expect(told).toBe(1);
    await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? one : other).change(adding())));
    expect(open(where).data.keys).toHaveLength(21);
  });

  test("goes on when a process was killed while it wrote", async () => {
    const where = folder();
    const store = open(where);
    await store.change(adding());
    const lock = `${store.path}.lock`;
    writeFileSync(lock, "");
    const before = Date.now() / 1000 - 60;
    utimesSync(lock, before, before);
    await store.change(adding());
    expect(store.data.keys).toHaveLength(2);
  });

  test.each([
    ["no JSON", "{"],
    ["another form", '{"version": 2}'],
    [
      "a hash that is none",
      JSON.stringify({ version: 1, keys: [{ ...key(), hash: "x" }], revokedTokens: [], revokedUsers: [] }),
    ],
    [
      "grants that are none",
      JSON.stringify({ version: 1, keys: [{ ...key(), grants: 1 }], revokedTokens: [], revokedUsers: [] }),
    ],
  ])("that holds %s stops a start, and changes nothing of what runs", async (_, text) => {
    const where = folder();
    const errors: string[] = [];
    const clock = new FakeClock();
    const store = open(where, { ...silentLog, error: (__, message) => void errors.push(message) }, clock);
    await open(where).change(adding());
    clock.advance(500);
    writeFileSync(store.path, text);
    clock.advance(500);
    expect(errors.splice(0)).toEqual(["keys and revocations stay as they were"]);
    expect(() => new FileStore(where, silentLog)).toThrow(/access\.json is not what Fanfare wrote/);
    await expect(store.change(adding())).rejects.toMatchObject({ code: "unavailable" });
    expect(store.data.keys).toHaveLength(1);
    expect(readFileSync(store.path, "utf8")).toBe(text);
    expect(errors[0]).toContain("cannot be written");
  });
});
