/** Remembers which package-lock.json the packages in node_modules came from, so that they are installed only when needed. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { dirname, join } from "node:path";

/**
 * Why the packages have to be installed, or null when they belong to package-lock.json and to this kind of machine
 * (some packages hold machine code).
 *
 * @param {string} root the folder of the project
 * @returns {string | null}
 */
export function whyInstall(root) {
  if (!fs.existsSync(join(root, "node_modules"))) return "there is no node_modules yet";
  if (!fs.existsSync(stampFile(root))) return "nothing says from which package-lock.json node_modules came";
  if (fs.readFileSync(stampFile(root), "utf8") === stampOf(root)) return null;
  return "package-lock.json or the machine is another than at the last install";
}

/**
 * Notes that the packages have been installed.
 *
 * @param {string} root the folder of the project
 */
export function rememberInstall(root) {
  fs.mkdirSync(dirname(stampFile(root)), { recursive: true });
  fs.writeFileSync(stampFile(root), stampOf(root));
}

/**
 * Takes the note away: while packages are being installed, or when that failed, nothing is known.
 *
 * @param {string} root the folder of the project
 */
export function forgetInstall(root) {
  fs.rmSync(stampFile(root), { force: true });
}

/** @param {string} root */
function stampFile(root) {
  return join(root, "node_modules", ".cache", "fanfare", "installed");
}

/** @param {string} root */
function stampOf(root) {
  const lock = createHash("sha256")
    .update(fs.readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${lock} ${process.platform} ${process.arch}\n`;
}
