/** Whether what bundlers make is up to date: nothing that goes in is newer than what came out. */
import fs from "node:fs";
import { join } from "node:path";

/**
 * @param {string} output a file that the bundler writes
 * @param {readonly string[]} inputs files and folders that go in
 */
export function isOutdated(output, inputs) {
  const made = newest(output);
  return made === 0 || inputs.some((input) => newest(input) > made);
}

/**
 * When the file, or anything in the folder, was changed last: milliseconds since 1970; 0 when there is none.
 *
 * @param {string} path
 * @returns {number}
 */
function newest(path) {
  if (!fs.existsSync(path)) return 0;
  const { mtimeMs } = fs.statSync(path);
  if (!fs.statSync(path).isDirectory()) return mtimeMs;
  return fs.readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), mtimeMs);
}
