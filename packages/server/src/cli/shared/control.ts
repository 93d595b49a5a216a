/** For `fanfare key` and `fanfare token`: asks the server that runs in `dataDir`, or its files where none runs. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Control } from "../../access/control/calls.js";
import { runningServer } from "../../access/control/control-client.js";
import { keepNewKey, newKey } from "../../access/store/keys.js";
import { ACCESS_SPACE, AccessStore } from "../../access/store/store.js";
import { issueToken } from "../../access/tokens/issue.js";
import { tokenSettings } from "../../access/tokens/token-options.js";
import { systemClock, systemRandom } from "../../base/clock.js";
import type { Log } from "../../base/log.js";
import type { Config } from "../../config/schema.js";
import { DiskEngine } from "../../engine/disk/disk-engine.js";
import { DATA_FILE } from "../../engine/disk/store/data-dir.js";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { createLogger } from "./logger.js";

export interface Asked extends Control {
  /** Does a server answer? Else the command reads and changes the files. */
  readonly isRunning: boolean;
}

/** @throws UsageError when a server runs and cannot be asked */
export async function controlOf(config: Config): Promise<Asked> {
  const server = await runningServer(config.dataDir);
  if (server) return { ...server, isRunning: true };
  return { ...controlOfFiles(config, await createLogger(config.logLevel)), isRunning: false };
}

/** While no server runs. Reading makes no file. */
function controlOfFiles({ dataDir, engine, tokens }: Config, log: Log): Control {
  const isEmpty = () => engine === "disk" && !existsSync(join(dataDir, DATA_FILE));
  const withStore = async <Answer>(work: (store: AccessStore) => Promise<Answer>): Promise<Answer> => {
    const opened =
      engine === "disk"
        ? await DiskEngine.open({ dataDir, logger: log })
        : new MemoryEngine({ dataDir, logger: log, allowIsolated: true });
    const store = new AccessStore({ space: opened.space(ACCESS_SPACE), clock: systemClock, log });
    try {
      await store.loaded();
      return await work(store);
    } finally {
      store.close();
      await opened.close();
    }
  };
  return {
    listKeys: async () => (isEmpty() ? [] : await withStore(async ({ data }) => data.keys)),
    addKey: (wanted) =>
      withStore((store) => keepNewKey(store, newKey(wanted, systemClock.now(), systemRandom))),
    async revokeKey(id) {
      if (isEmpty()) return null;
      return await withStore(async (store) => {
        if (!store.data.keys.some((key) => key.id === id)) return null;
        await store.change((data) => ({ ...data, keys: data.keys.filter((key) => key.id !== id) }));
        return { pending: false };
      });
    },
    makeToken: (request) => issueToken(tokenSettings(tokens), request, systemClock.now()),
  };
}
