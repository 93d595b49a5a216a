import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineContract } from "../engine.contract.js";
import { DiskEngine } from "./disk-engine.js";

engineContract("DiskEngine", async ({ clock, limits }) => {
  const dataDir = mkdtempSync(join(tmpdir(), "fanfare-disk-"));
  const engine = await DiskEngine.open({
    dataDir,
    clock,
    ...limits,
    forgetHeldAfterMs: limits.forgetAfterMs,
  });
  return {
    engine,
    async passTime(ms) {
      clock.advance(ms);
      await engine.sweep();
      await engine.sweep();
    },
    startOver: (channel) => engine.startOver(channel),
    dispose: () => rmSync(dataDir, { recursive: true }),
  };
});
