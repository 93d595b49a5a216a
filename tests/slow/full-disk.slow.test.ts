/**
 * A disk of its own that is filled to the last page: what is there is read after a restart, and messages are taken again when the logs
 * have grown old, though the disk stays full. Needs root, to make the disk.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { parseChannelName } from "../../packages/protocol/src/index.js";
import { DiskEngine } from "../../packages/server/src/engine/disk/disk-engine.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { seeded } from "../../packages/server/src/testing/seeded.js";

const MiB = 2 ** 20;
const ROUNDS = Number(process.env.FULL_DISK_ROUNDS ?? 5);
const SEED = Number(process.env.FULL_DISK_SEED ?? Date.now() % 1_000_000);
const RETENTION = { messages: 100_000, ageMs: 60_000 };
const CHANNELS = Array.from({ length: 7 }, (_, n) => parseChannelName(`c:${n}`));
const ALL = { messages: 100_000, bytes: 2 ** 40 };

test.skipIf(process.getuid?.() !== 0)(
  "a full disk is used again, round after round, and nothing that was acknowledged is lost",
  async () => {
    console.log(`FULL_DISK_SEED=${SEED}`);
    const random = seeded(SEED);
    const disk = mkdtempSync(join(tmpdir(), "fanfare-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", disk]);
    onTestFinished(() => {
      execFileSync("umount", [disk]);
      rmSync(disk, { recursive: true });
    });
    const free = () => statfsSync(disk).bavail * statfsSync(disk).bsize;
    const ballast = join(disk, "ballast");
    const clock = new FakeClock();
    const options = { dataDir: join(disk, "data"), clock, reserveBytes: 8 * MiB, maxBytes: 2 ** 40 };
    let engine = await DiskEngine.open(options);
    onTestFinished(() => engine.close());

    for (let round = 0; round < ROUNDS; round++) {
      const heads = new Map<string, number>();
      const fill = async () => {
        for (let count = 0; ; count++) {
          const channel = CHANNELS[count % CHANNELS.length] ?? fail();
          const size = random() < 0.05 ? 200_000 * random() : 4000 * random();
          const draft = { event: "message", json: JSON.stringify("x".repeat(size)) };
          const { offset } = await engine.logs.append(channel, draft, RETENTION);
          heads.set(channel, offset);
        }
      };
      const refusals = await Promise.allSettled(CHANNELS.map(() => fill()));
      for (const refusal of refusals) {
        expect(refusal).toMatchObject({ status: "rejected", reason: { code: "insufficient_storage" } });
      }
      // Others take all that was left.
      rmSync(ballast, { force: true });
      writeFileSync(ballast, Buffer.alloc(Math.floor(free())));
      await engine.close();
      engine = await DiskEngine.open(options);
      for (const channel of CHANNELS) {
        const { head, messages } = await engine.logs.read(channel, null, ALL);
        expect([head, messages.at(-1)?.offset]).toEqual([heads.get(channel), heads.get(channel)]);
      }
      expect(engine.trouble).toBe("full");

      // A little room to begin with, and messages that have grown old.
      truncateSync(ballast, Math.max(0, statSync(ballast).size - 3 * MiB));
      clock.advance(61_000);
      for (let sweeps = 0; sweeps < 200; sweeps++) await engine.sweep();
      expect(engine.trouble).toBeNull();
      expect(engine.stats()).toMatchObject({ messages: 0, bytes: 0 });
      expect(free()).toBeLessThanOrEqual(4 * MiB);
    }
  },
  600_000,
);

function fail(): never {
  throw new Error("no channel");
}
