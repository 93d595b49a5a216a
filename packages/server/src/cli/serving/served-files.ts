/**
 * Which files of a folder `fanfare dev --serve` shows: those that lie in it, links followed, without dot-files and without what
 * Fanfare itself keeps secret. Does not serve them.
 */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import { DEFAULT_DATA_DIR } from "../../engine/disk/disk-options.js";

/** The folder for files that everybody may read (RFC 8615). */
const WELL_KNOWN = ".well-known";
/** The endings that `sirv` tries, one after the other. */
const ENDINGS = ["", "/index", ".html", "/index.html", ".htm", "/index.htm"];

/** Is there nothing behind this address that may not be shown? @param url of a request */
export function mayBeServed(root: string, url: string): boolean {
  const path = pathOf(url);
  if (path === null || segmentsOf(path).some(isSecret)) return false;
  return ENDINGS.every((ending) => liesInside(root, join(root, path.replace(/\/$/, "") + ending)));
}

/** As `sirv` reads it. */
function pathOf(url: string): string | null {
  const [path = ""] = url.split("?");
  try {
    return decodeURI(path).includes("\0") ? null : decodeURI(path);
  } catch {
    return null;
  }
}

function segmentsOf(path: string): string[] {
  return path.split(/[/\\]/).filter((segment) => segment !== "");
}

function isSecret(segment: string, place: number): boolean {
  if (segment.startsWith(".")) return place > 0 || segment !== WELL_KNOWN;
  return segment === DEFAULT_DATA_DIR || segment.startsWith("fanfare.config.");
}

/** True as well where there is nothing. A link that is changed after this is followed: a user who can do that can write to the folder. */
function liesInside(root: string, path: string): boolean {
  try {
    const [base, real] = [realpathSync(root), realpathSync(path)];
    if (real !== base && !real.startsWith(base.endsWith(sep) ? base : base + sep)) return false;
    if (segmentsOf(real.slice(base.length)).some(isSecret)) return false;
    const stats = statSync(real);
    if (stats.isDirectory()) return true;
    accessSync(real, constants.R_OK);
    // A pipe would never end.
    return stats.isFile();
  } catch (error) {
    return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
  }
}
