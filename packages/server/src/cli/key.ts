/** `fanfare key add | list | revoke`: the API keys that are kept in `dataDir`. A running server sees a change within a second. */
import { defineCommand } from "citty";
import { FileStore } from "../access/file-store.js";
import { ALL_GRANTS } from "../access/grants.js";
import { newKey } from "../access/keys.js";
import { systemClock, systemRandom } from "../clock.js";
import { checkArguments, UsageError } from "./arguments.js";
import { configFileArgument, configuration } from "./configuration.js";
import { tellErrors } from "./errors.js";
import { grantArguments, grantsIn } from "./grants.js";
import { createLogger } from "./logger.js";

const addArguments = {
  name: { type: "positional", description: "What to call it, such as shop", required: true },
  channel: grantArguments.channel,
  action: { ...grantArguments.action, default: "publish" },
  config: configFileArgument,
} as const;

const add = defineCommand({
  meta: { name: "add", description: "Makes a key, and prints it: now, and never again." },
  args: addArguments,
  run: (context) =>
    tellErrors("key add", async () => {
      const { name, action, config } = context.args;
      checkArguments(context, addArguments);
      const grants = grantsIn(context.rawArgs, action, null);
      const all = grants.length === 0;
      await withStore(config, async (store) => {
        const { key, stored } = newKey(
          { name, grants: all ? ALL_GRANTS.list : grants },
          systemClock.now(),
          systemRandom,
        );
        await store.change((data) => ({ ...data, keys: [...data.keys, stored] }));
        process.stderr.write(
          `# ${stored.id} in ${store.path}: ${all ? "may do everything; --channel and --action limit it" : JSON.stringify(grants)}\n`,
        );
        process.stdout.write(`${key}\n`);
      });
    }),
});

const listArguments = { config: configFileArgument } as const;

const list = defineCommand({
  meta: { name: "list", description: "Prints the keys, without their secrets." },
  args: listArguments,
  run: (context) =>
    tellErrors("key list", async () => {
      checkArguments(context, listArguments);
      await withStore(context.args.config, async (store) => {
        for (const { id, name, created, grants } of store.data.keys) {
          const since = new Date(created).toISOString();
          process.stdout.write(`${id}\t${JSON.stringify(name)}\t${since}\t${JSON.stringify(grants)}\n`);
        }
      });
    }),
});

const revokeArguments = {
  id: { type: "positional", description: "Id of the key, as the list has it", required: true },
  config: configFileArgument,
} as const;

const revoke = defineCommand({
  meta: { name: "revoke", description: "Ends a key, and the connections that came in with it." },
  args: revokeArguments,
  run: (context) =>
    tellErrors("key revoke", async () => {
      const { id, config } = context.args;
      checkArguments(context, revokeArguments);
      await withStore(config, async (store) => {
        if (!store.data.keys.some((key) => key.id === id)) {
          throw new UsageError(`there is no key with the id ${JSON.stringify(id)}`, "See: fanfare key list");
        }
        await store.change((data) => ({ ...data, keys: data.keys.filter((key) => key.id !== id) }));
      });
    }),
});

export const key = defineCommand({
  meta: { name: "key", description: "Makes, lists and revokes API keys." },
  subCommands: { add, list, revoke },
});

async function withStore(
  config: string | undefined,
  work: (store: FileStore) => Promise<void>,
): Promise<void> {
  const { dataDir, logLevel } = (await configuration({ config })).config;
  const store = new FileStore(dataDir, await createLogger(logLevel));
  try {
    await work(store);
  } finally {
    store.close();
  }
}
