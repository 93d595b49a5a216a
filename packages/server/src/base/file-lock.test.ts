import fs, { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { seenByImports } from "../testing/seen-by-imports.js";
import { alone } from "./file-lock.js";

function place(): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return { folder, path: join(folder, "lock") };
}

/** A lock that a killed process has left. */
function leave(path: string, number: number): void {
  writeFileSync(`${path}-${number}`, "");
  const before = Date.now() / 1000 - 60;
  utimesSync(`${path}-${number}`, before, before);
}

test("work is done one after the other, and one file is left, whatever the work throws", async () => {
  const { folder, path } = place();
  const order: number[] = [];
  const works = Array.from({ length: 20 }, (_, index) => alone(path, () => void order.push(index)));
  await Promise.all(works);
  await expect(
    alone(path, () => {
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  expect(await alone(path, () => 7)).toBe(7);
  expect(order).toHaveLength(20);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^lock-\d+$/)]);
});

test("while one holds a lock that was left behind, another that has seen it left behind waits", async () => {
  const { folder, path } = place();
  leave(path, 7);
  const other = await alone(path, () => {
    // As a process that looked before the lock was taken over, and goes on now.
    const trying = alone(path, () => readdirSync(folder));
    expect(readdirSync(folder)).toEqual(["lock-8"]);
    return { trying };
  });
  expect(await other.trying).toEqual(["lock-9"]);
});

test("a number that others have taken and let go of meanwhile is no lock", async () => {
  const { folder, path } = place();
  leave(path, 9);
  // As a process that looked when 3 was the last one.
  const looked = vi.spyOn(fs, "readdirSync").mockReturnValueOnce(["lock-3"] as never);
  seenByImports(looked);
  leave(path, 3);
  expect(await alone(path, () => fs.readdirSync(folder))).toEqual(["lock-10"]);
});
