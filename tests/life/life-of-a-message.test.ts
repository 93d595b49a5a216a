/** ARCHITECTURE.md tells through which files a message goes: V8 counts which files run for one. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const SECTION = /^## The life of a message$([\s\S]*?)^## /m;
const MOST_FILES = 25;
const MOST_LINES = 350;

/** The files that a part of the section names. */
function namedIn(text = ""): string[] {
  return [...text.matchAll(/`([\w/.-]+\.ts)`/g)].map(([, file]) => file ?? "").sort();
}

const [, section = ""] = SECTION.exec(readFileSync(new URL("ARCHITECTURE.md", ROOT), "utf8")) ?? [];
const [, path, askedOnTheWay] = section.split(/^\*\*.*\*\*/m);

test("a message goes through the files that ARCHITECTURE.md names, and asks the others that it names", async () => {
  const script = fileURLToPath(new URL("one-message.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const ran: string[] = JSON.parse(stdout);
  expect(ran).toEqual([...namedIn(path), ...namedIn(askedOnTheWay)].sort());
});

test("these are at most 25, and none has more than 350 lines", () => {
  const files = namedIn(path);
  expect(files.length).toBeLessThanOrEqual(MOST_FILES);
  expect(files.length).toBe(new Set(files).size);
  const lines = files.map((file) => {
    const { length } = readFileSync(new URL(`packages/server/src/${file}`, ROOT), "utf8").split("\n");
    return { file, length };
  });
  expect(lines.filter(({ length }) => length > MOST_LINES)).toEqual([]);
});
