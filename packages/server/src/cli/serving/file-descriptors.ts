/** Every connection takes a file descriptor: are there as many as the limit of connections promises? */
import { readFileSync } from "node:fs";

/** File descriptors that the process needs besides connections: files, logs, listening sockets, requests over HTTP. */
const SPARE = 200;

/** How many files this process may have open; `null` when there is no limit, or the machine does not say. */
export function maxOpenFiles(): number | null {
  try {
    return parseLimits(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    return fromReport(process.report?.getReport());
  }
}

/** @param text as in /proc/self/limits; the first figure is the one that holds */
export function parseLimits(text: string): number | null {
  const limit = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return limit === undefined ? null : Number(limit);
}

/** The warning and its remedy when there are too few; `null` when there are enough. */
export function tooFewFiles(
  openFiles: number | null,
  connections: number,
): { message: string; remedy: string } | null {
  const wanted = connections + SPARE;
  if (openFiles === null || openFiles >= wanted) return null;
  const possible = Math.max(1, openFiles - SPARE);
  return {
    message: `this process may open ${openFiles} files, which is enough for about ${possible} connections; limits.connections is ${connections}`,
    remedy: `Raise the limit to ${wanted} (ulimit -n ${wanted}; LimitNOFILE=${wanted} for systemd; --ulimit nofile=${wanted} for Docker), or set limits.connections to ${possible}.`,
  };
}

/** Where there is no /proc. */
function fromReport(report: unknown): number | null {
  const limits = (report as { userLimits?: { open_files?: { soft?: unknown } } } | undefined)?.userLimits;
  const soft = limits?.open_files?.soft;
  return typeof soft === "number" ? soft : null;
}
