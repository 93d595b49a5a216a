import { expect, onTestFinished, test } from "vitest";
import { aFolder } from "../../testing/a-folder.js";
import { DiskEngine } from "./disk-engine.js";

async function open(dataDir = aFolder()): Promise<DiskEngine> {
  const engine = await DiskEngine.open({ dataDir });
  onTestFinished(() => engine.close());
  return engine;
}

test("outlives the process", async () => {
  const dataDir = aFolder();
  const first = await open(dataDir);
  await first.space("tokens").compareAndSet("door", null, "41");
  await first.close();
  expect(await (await open(dataDir)).space("tokens").get("door")).toBe("41");
});

test("the version changes only when the list shows the change", async () => {
  const space = (await open()).space("tokens");
  const before = await space.version();
  const setting = space.compareAndSet("door", null, "41");
  expect(await space.get("door")).toBe("41");
  expect([await space.version(), await space.list(null, 1)]).toEqual([before, []]);
  await setting;
  expect(await space.version()).not.toBe(before);
  expect(await space.list(null, 1)).toHaveLength(1);
});
