import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aFolder } from "../testing/a-folder.js";
import { makePrivateFolder } from "./private-folder.js";

test("a folder is made with those above it, for this user only, and left as it is where it is there", () => {
  const top = aFolder();
  const folder = join(top, "a", "b", "c");
  expect(makePrivateFolder(folder)).toBe(true);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(makePrivateFolder(folder)).toBe(false);
  mkdirSync(join(top, "open"), { mode: 0o755 });
  expect(makePrivateFolder(join(top, "open"))).toBe(false);
});

test("a folder that cannot be is refused at once: below a file, and where the system makes none", () => {
  const file = join(aFolder(), "file");
  writeFileSync(file, "");
  expect(() => makePrivateFolder(file)).toThrow("EEXIST");
  expect(() => makePrivateFolder(join(file, "a"))).toThrow("ENOTDIR");
  expect(() => makePrivateFolder("/proc/fanfare")).toThrow("ENOENT");
  expect(() => makePrivateFolder("/proc/fanfare/data")).toThrow("ENOENT");
});
