/** Whether a client could publish at all: with a key, as a user, or because the configuration says so. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Grants } from "../../access/grants/grants.js";
import { acceptsTokens, tokenSettings } from "../../access/tokens/token-options.js";
import { UsageError } from "../../base/usage-error.js";
import type { Config } from "../../config/schema.js";
import { DATA_FILE } from "../../engine/disk/store/data-dir.js";
import { SPACES_FILE } from "../../engine/memory/spaces-file.js";
import { controlOf } from "./control.js";

/** @param hasKeys whether keys were made while a server ran */
export async function someMayPublish(
  { access, anonymous, apiKeys, tokens, forwardedSession }: Config,
  hasKeys: () => Promise<boolean>,
): Promise<boolean> {
  return (
    access === "open" ||
    apiKeys.length > 0 ||
    acceptsTokens(tokenSettings(tokens)) ||
    forwardedSession.url !== "" ||
    new Grants(anonymous, null).has("publish") ||
    (await hasKeys())
  );
}

/** Is there a place where keys may have been made? Looks into none, since that would begin to use it. */
export function mayHoldKeys({ dataDir, engine }: Config): boolean {
  return existsSync(join(dataDir, engine === "disk" ? DATA_FILE : SPACES_FILE));
}

/** Asks the server that runs, or the files. @throws UsageError, FanfareError, TypeError when that cannot be known */
export async function keysWereMade(config: Config): Promise<boolean> {
  return (await (await controlOf(config)).listKeys()).length > 0;
}

export function keyMissing(): UsageError {
  return new UsageError(
    "there is no API key and no secret, so no client could publish",
    `Make a key and pass it in the environment (or as apiKeys in fanfare.config.*):

  export FANFARE_API_KEY=$(openssl rand -hex 24)
  fanfare start

or let one be made and kept, which may do less than everything:

  fanfare key add my-app --channel '**' --action publish

Browsers log in with tokens, which your servers make with a secret: export FANFARE_SECRET=$(openssl rand -hex 32)

Clients that do not log in may do what the option anonymous allows, or everything with FANFARE_ACCESS=open.`,
  );
}
