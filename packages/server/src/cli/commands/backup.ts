/** `fanfare backup`: a copy of everything in `dataDir`, taken while the server runs. */
import { defineCommand } from "citty";
import { backUp } from "../../backup/backup.js";
import { checkArguments } from "../shared/arguments.js";
import { configFileArgument, configuration, dataDirArgument } from "../shared/configuration.js";
import { tellErrors } from "../shared/errors.js";

const args = {
  folder: { type: "positional", description: "Folder to make, such as /backups/2026-01-31", required: true },
  dataDir: dataDirArgument,
  config: configFileArgument,
} as const;

export const backup = defineCommand({
  meta: {
    name: "backup",
    description: "Copies channels, states, sessions, keys and revocations, while the server runs.",
  },
  args,
  run: (context) =>
    tellErrors("backup", async () => {
      const { folder: target, config, dataDir: given } = context.args;
      checkArguments(context, args);
      const { dataDir } = (await configuration({ config, dataDir: given })).config;
      const { folder, files, records } = await backUp(dataDir, target, new Date());
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      const what = records === null ? "keys and revocations; there is no store" : `${records} records`;
      process.stdout.write(`${folder}: ${what}, ${bytes} bytes, read from beginning to end\n`);
    }),
});
