/** SIGHUP: a running server reads its configuration anew, and takes over what can be changed while clients are connected. */
import type { Log } from "../../base/log.js";
import type { InForce } from "../../config/config.js";
import { changesOf, reloadable } from "../../config/reloading.js";
import type { Config } from "../../config/schema.js";

/**
 * @param again reads the configuration anew
 * @param takeOver throws where it cannot be; then nothing was changed
 */
export function onHangUp(
  logger: Log,
  inForce: Config,
  again: () => Promise<InForce>,
  takeOver: (next: Config) => Promise<void>,
): void {
  let running = inForce;
  // One after the other, or the older file of two might win.
  let reloading = Promise.resolve();
  process.on("SIGHUP", () => {
    reloading = reloading
      .then(async () => {
        const { config: next } = await again();
        await takeOver(next);
        const { taken, needRestart } = changesOf(running, next);
        running = { ...running, ...reloadable(next) };
        // Names only: values may be secrets.
        logger.info(
          { changed: taken },
          `SIGHUP: ${taken.length > 0 ? `changed ${taken.join(", ")}` : "nothing to change"}`,
        );
        if (needRestart.length === 0) return;
        const remedy = "Restart the server to take over what was changed.";
        logger.warn({ remedy }, `SIGHUP: changed, and still as it was: ${needRestart.join(", ")}`);
      })
      .catch((error: unknown) => logger.error({ err: error }, "SIGHUP: nothing was changed"));
  });
}
