/** `fanfare restore`: puts a backup into `dataDir`, while no server uses it. */
import { defineCommand } from "citty";
import { restore as restoreBackup } from "../../backup/restore.js";
import { checkArguments } from "../shared/arguments.js";
import { configFileArgument, configuration, dataDirArgument } from "../shared/configuration.js";
import { tellErrors } from "../shared/errors.js";

const args = {
  folder: { type: "positional", description: "Folder that fanfare backup made", required: true },
  replace: {
    type: "boolean",
    description: "Move what is in dataDir to a folder of its own (default: refuse)",
  },
  dataDir: dataDirArgument,
  config: configFileArgument,
} as const;

export const restore = defineCommand({
  meta: {
    name: "restore",
    description: "Puts a backup into dataDir, after checking it. Stop the server first.",
  },
  args,
  run: (context) =>
    tellErrors("restore", async () => {
      const { folder: from, replace = false, config, dataDir: given } = context.args;
      checkArguments(context, args);
      const { dataDir } = (await configuration({ config, dataDir: given })).config;
      const { folder, taken, replaced, hasStore } = await restoreBackup(from, dataDir, {
        replace,
        now: new Date(),
      });
      const since = taken.toISOString();
      const lines = [`${folder} is as it was at ${since}.`];
      if (replaced) lines.push(`The earlier content is in ${replaced}.`);
      if (hasStore) lines.push(...OF_STORE);
      lines.push(
        `Keys that were revoked and users that were logged out since then may come in again: revoke them again.`,
      );
      process.stdout.write(`${lines.join("\n")}\n`);
    }),
});

const OF_STORE = [
  "Every channel begins a new epoch at the next start: clients are told that their positions are gone.",
  "Sequences stand where they stood: numbers that were given since then will be given again.",
  "Locks that were taken since then are free again; the next holder gets a greater fencing token all the same.",
];
