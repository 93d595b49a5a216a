/** How many files a process may have open here: each connection is one, in the server as in the generator. */
import { readFileSync } from "node:fs";

/** Files that Node, the control channel and the libraries have open besides connections. */
const OTHER_FILES = 200;
/** What the scenarios with few connections need: 500, and the others. */
export const LEAST_FILES = 500 + OTHER_FILES;

/** Of this process and those that it starts; infinite where there is no limit. */
export function openFiles(limits = readFileSync("/proc/self/limits", "utf8")) {
  const files = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return files === "unlimited" ? Number.POSITIVE_INFINITY : Number(files);
}

/** How many connections of those wanted can be made. @param {number} wanted @param {number} files */
export const possible = (wanted, files) => Math.min(wanted, files - OTHER_FILES);

/** @param {number} files fewer than are needed */
export const tooFewFiles = (files) =>
  `A process may open ${files} files here, and the bench needs ${LEAST_FILES}, better 8200: ulimit -n 8200, then try again.`;
