/** Whether there is a key or a secret at all: a server without one could be published to by nobody, or by everybody. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { FILE_NAME, FileStore } from "../access/file-store.js";
import { acceptsTokens, tokenSettings } from "../access/token-options.js";
import type { Config } from "../config/schema.js";
import { silentLog } from "../log.js";
import { UsageError } from "./arguments.js";

/** @throws TypeError when there is a file of keys that cannot be read */
export function isGuarded({ apiKeys, tokens, dataDir }: Config): boolean {
  return apiKeys.length > 0 || acceptsTokens(tokenSettings(tokens)) || hasKeys(dataDir);
}

function hasKeys(dataDir: string): boolean {
  if (!existsSync(join(dataDir, FILE_NAME))) return false;
  const store = new FileStore(dataDir, silentLog);
  store.close();
  return store.data.keys.length > 0;
}

export function keyMissing(): UsageError {
  return new UsageError(
    "there is no API key and no secret, so nobody could publish",
    `Make a key and pass it in the environment (or as apiKeys in fanfare.config.*):

  export FANFARE_API_KEY=$(openssl rand -hex 24)
  fanfare start

or let one be made and kept, which may do less than everything:

  fanfare key add my-app --channel '**' --action publish

Browsers log in with tokens, which your servers make with a secret: export FANFARE_SECRET=$(openssl rand -hex 32)`,
  );
}
