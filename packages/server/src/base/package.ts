/** The package that this server comes in: its files and its version. */
import { readFileSync } from "node:fs";

// As far from here as from the bundled command, which lies in `dist/command`.
const ROOT = new URL("../../", import.meta.url);

/** The address of a file or folder of the package. @param path from its root, such as `pages/dev.html` */
export function packageFile(path: string): URL {
  return new URL(path, ROOT);
}

export const VERSION = versionIn(readFileSync(packageFile("package.json"), "utf8"));

function versionIn(json: string): string {
  const parsed: unknown = JSON.parse(json);
  if (typeof parsed === "object" && parsed !== null && "version" in parsed) return String(parsed.version);
  throw new TypeError("package.json has no version");
}
