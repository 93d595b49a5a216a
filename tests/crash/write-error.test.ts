/** A disk that refuses a write in the middle: whoever publishes is told, the process lives, and no offset is lost. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { diskFolder } from "./disk-folder.js";

const BUILT = fileURLToPath(new URL("../../packages/server/dist/index.js", import.meta.url));
/** The largest file that the process may write, in blocks of 512 or 1,024 bytes, as the shell counts. */
const BLOCKS = 4000;

/** Publishes 150 KB at a time until the file cannot grow, and goes on for a while. */
const PROGRAM = `
  const { DiskEngine } = await import(process.argv[1]);
  const engine = await DiskEngine.open({ dataDir: process.argv[2] });
  const channels = Array.from({ length: 50 }, (_, index) => "c:" + index);
  const draft = { event: "message", json: JSON.stringify("x".repeat(3000)) };
  const codes = new Set();
  let [kept, refused] = [0, 0];
  for (let round = 0; round < 60; round++) {
    const answers = await Promise.allSettled(
      channels.map((channel) => engine.logs.append(channel, draft, { messages: 1000, ageMs: 1e9 })),
    );
    for (const { status, reason } of answers) {
      if (status === "fulfilled") kept++;
      else refused++, codes.add(reason.code);
    }
  }
  const heads = await engine.logs.heads(channels);
  const stand = heads.reduce((sum, { offset }) => sum + offset, 0);
  await engine.close();
  const again = await DiskEngine.open({ dataDir: process.argv[2] });
  const later = (await again.logs.heads(channels)).reduce((sum, { offset }) => sum + offset, 0);
  await again.close();
  console.log(JSON.stringify({ kept, refused, stand, later, codes: [...codes] }));
`;

test("a write that fails is told to those who published, and changes nothing", async () => {
  const shell = 'ulimit -f "$1"; shift; exec "$@"';
  const program = [process.execPath, "--input-type=module", "-e", PROGRAM, BUILT, diskFolder()];
  const { stdout } = await promisify(execFile)("sh", ["-c", shell, "sh", String(BLOCKS), ...program]);
  const { kept, refused, stand, later, codes } = JSON.parse(stdout);
  expect(codes).toEqual(["unavailable"]);
  expect(kept).toBeGreaterThan(0);
  expect(refused).toBeGreaterThan(0);
  expect([stand, later]).toEqual([kept, kept]);
});
