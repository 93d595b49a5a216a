/** Folders on a real disk: other tests have theirs in memory, where there is room for it. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/fanfare", import.meta.url));

/** An empty folder on the disk that holds the project, removed after the test. */
export function diskFolder(): string {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, "disk-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
