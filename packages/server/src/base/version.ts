/** The version of this server, as its package says. */
import { readFileSync } from "node:fs";

export const VERSION = versionIn(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

function versionIn(json: string): string {
  const parsed: unknown = JSON.parse(json);
  if (typeof parsed === "object" && parsed !== null && "version" in parsed) return String(parsed.version);
  throw new TypeError("package.json has no version");
}
