import { expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../testing/a-folder.js";
import { numbersTo } from "../contract/harness.contract.js";
import { DiskEngine } from "./disk-engine.js";

async function open(dataDir = aFolder()): Promise<DiskEngine> {
  const engine = await DiskEngine.open({ dataDir });
  onTestFinished(() => engine.close());
  return engine;
}

test("sets a value only where there is what was expected", async () => {
  const space = (await open()).space("locks");
  expect(await space.get("a")).toBeNull();
  expect(await space.compareAndSet("a", "x", "1")).toBe(false);
  expect(await space.compareAndSet("a", null, "1")).toBe(true);
  expect(await space.compareAndSet("a", null, "2")).toBe(false);
  expect(await space.compareAndSet("a", "1", "2")).toBe(true);
  expect(await space.get("a")).toBe("2");
  expect(await space.compareAndSet("a", "2", null)).toBe(true);
  expect(await space.get("a")).toBeNull();
});

test("lets one of many at once succeed", async () => {
  const space = (await open()).space("sequences");
  const outcomes = await Promise.all(numbersTo(50).map((n) => space.compareAndSet("next", null, String(n))));
  expect(outcomes.filter((outcome) => outcome)).toHaveLength(1);
  expect(await space.get("next")).toBe("1");
});

test("counts without a hole, however many count at once", async () => {
  const space = (await open()).space("sequences");
  const next = async (): Promise<number> => {
    for (;;) {
      const found = await space.get("invoice");
      const number = Number(found ?? 0) + 1;
      if (await space.compareAndSet("invoice", found, String(number))) return number;
    }
  };
  const numbers = await Promise.all(numbersTo(30).map(next));
  expect(numbers.sort((a, b) => a - b)).toEqual(numbersTo(30));
});

test("is kept apart from other spaces, and lists its keys in order, page by page", async () => {
  const engine = await open();
  const [locks, others] = [engine.space("locks"), engine.space("lock")];
  for (const key of ["b", "a", "ä:1", "a:b", "c"]) await locks.compareAndSet(key, null, `${key}!`);
  await others.compareAndSet("a", null, "other");
  expect(await locks.list(null, 2)).toEqual([
    { key: "a", value: "a!" },
    { key: "a:b", value: "a:b!" },
  ]);
  expect((await locks.list("a:b", 10)).map(({ key }) => key)).toEqual(["b", "c", "ä:1"]);
  expect(await others.list(null, 10)).toEqual([{ key: "a", value: "other" }]);
});

test("outlives the process", async () => {
  const dataDir = aFolder();
  const first = await open(dataDir);
  await first.space("tokens").compareAndSet("door", null, "41");
  await first.close();
  expect(await (await open(dataDir)).space("tokens").get("door")).toBe("41");
});

test("refuses a key that is too long, and what comes after the end", async () => {
  const engine = await open();
  const space = engine.space("locks");
  await expect(space.compareAndSet("ä".repeat(501), null, "1")).rejects.toThrow(/1002 bytes.*1000/);
  expect(await space.compareAndSet("ä".repeat(500), null, "1")).toBe(true);
  await engine.close();
  await expect(space.get("a")).rejects.toMatchObject({ code: "unavailable" });
  await expect(space.compareAndSet("a", null, "1")).rejects.toMatchObject({ code: "unavailable" });
});
