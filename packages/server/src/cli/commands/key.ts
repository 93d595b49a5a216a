/** `fanfare key add | list | revoke`: the API keys that are made while the server runs. Asks that server, or the files where none runs. */
import { defineCommand } from "citty";
import { ALL_GRANTS } from "../../access/grants/grants.js";
import { UsageError } from "../../base/usage-error.js";
import { checkArguments } from "../shared/arguments.js";
import { configFileArgument, configuration } from "../shared/configuration.js";
import { type Asked, controlOf } from "../shared/control.js";
import { tellErrors } from "../shared/errors.js";
import { grantArguments, grantsIn } from "../shared/grants.js";

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
      const { control, dataDir } = await asked(config);
      const { key, stored } = await control.addKey({ name, grants: all ? ALL_GRANTS.list : grants });
      const may = all ? "may do everything; --channel and --action limit it" : JSON.stringify(grants);
      process.stderr.write(`# ${stored.id} in ${dataDir}${control.isRunning ? ", in force" : ""}: ${may}\n`);
      process.stdout.write(`${key}\n`);
    }),
});

const listArguments = { config: configFileArgument } as const;

const list = defineCommand({
  meta: { name: "list", description: "Prints the keys, without their secrets." },
  args: listArguments,
  run: (context) =>
    tellErrors("key list", async () => {
      checkArguments(context, listArguments);
      const { control } = await asked(context.args.config);
      for (const { id, name, created, grants } of await control.listKeys()) {
        const since = new Date(created).toISOString();
        process.stdout.write(`${id}\t${JSON.stringify(name)}\t${since}\t${JSON.stringify(grants)}\n`);
      }
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
      const { control } = await asked(config);
      const revoked = await control.revokeKey(id);
      if (!revoked) {
        throw new UsageError(`there is no key with the id ${JSON.stringify(id)}`, "See: fanfare key list");
      }
      if (revoked.pending) {
        process.stderr.write(
          "# It is revoked, and could not be written down yet. The server goes on trying; a restart before that forgets it.\n",
        );
      }
    }),
});

export const key = defineCommand({
  meta: { name: "key", description: "Makes, lists and revokes API keys." },
  subCommands: { add, list, revoke },
});

async function asked(file: string | undefined): Promise<{ control: Asked; dataDir: string }> {
  const { config } = await configuration({ config: file });
  return { control: await controlOf(config), dataDir: config.dataDir };
}
