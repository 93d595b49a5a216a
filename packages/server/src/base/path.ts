/** The path under which everything of a Fanfare lives, checked when the server is made. */
import { FanfareError, quote, shown } from "@fanfare/protocol";

/** First segments that Mendix keeps for itself in every app, whatever it is set up for. */
const ALWAYS_RESERVED = ["debugger", "xas", "mxdevtools"];
const MENDIX_RESERVED = ["rest", "odata", "ws", "ws-doc", "api-doc", "file", "link"];

/** Names that a host application uses for itself: a list, or the ready-made one for Mendix. */
export type ReservedPaths = "mendix" | readonly string[];

/**
 * The path, checked: it begins with a slash, has no slash at the end, and consists of letters, digits and `-._~`.
 *
 * @param option what it was given as
 * @throws TypeError when it has another form
 * @throws FanfareError `reserved_path` when its first segment is reserved, in whatever case
 */
export function checkPath(path: string, reserved: ReservedPaths = [], option = "path"): string {
  if (
    typeof path !== "string" ||
    !/^(?:\/[A-Za-z0-9._~-]+)+$/.test(path) ||
    path.split("/").some((segment) => /^\.+$/.test(segment))
  ) {
    throw new TypeError(
      `${option} is ${shown(path)}. Give a path such as /push: segments of letters, digits and -._~`,
    );
  }
  if (
    reserved !== "mendix" &&
    !(Array.isArray(reserved) && reserved.every((name) => typeof name === "string"))
  ) {
    throw new TypeError(
      `reservedPaths is ${shown(reserved)}. Give a list of names, or "mendix" for those of Mendix.`,
    );
  }
  const names = [...ALWAYS_RESERVED, ...(reserved === "mendix" ? MENDIX_RESERVED : reserved)];
  const first = path.split("/")[1] ?? "";
  if (names.some((name) => name.toLowerCase() === first.toLowerCase())) {
    throw new FanfareError(
      "reserved_path",
      `the path ${quote(path)} begins with ${quote(first)}, which the host application keeps for itself`,
    );
  }
  return path;
}

/** Is the address of a request the path itself, or below it? */
export function isUnder(path: string, url: string | undefined): boolean {
  if (!url?.startsWith(path)) return false;
  const next = url.charAt(path.length);
  return next === "" || next === "/" || next === "?";
}

/** Is the address of a request the path itself? */
export function isAt(path: string, url: string | undefined): boolean {
  return isUnder(path, url) && /^\/?(?:\?|$)/.test(url?.slice(path.length) ?? "");
}

/** Is one of two paths the other, or under it? */
export function overlap(one: string, other: string): boolean {
  return `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`);
}
