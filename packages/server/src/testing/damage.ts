/** What a disk does that lies: it changes bytes of a file. */
import { readFileSync, writeFileSync } from "node:fs";

/** Changes the last of these bytes, wherever they stand in the file. @throws when they stand nowhere */
export function damage(path: string, wanted: string | Buffer): void {
  const bytes = Buffer.from(wanted);
  const file = readFileSync(path);
  let found = file.indexOf(bytes);
  if (found < 0) throw new Error(`${path} has no ${String(wanted)}`);
  for (; found >= 0; found = file.indexOf(bytes, found + 1)) {
    const last = found + bytes.length - 1;
    file[last] = (file[last] ?? 0) ^ 0x01;
  }
  writeFileSync(path, file);
}
