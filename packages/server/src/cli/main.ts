/** The command `fanfare`. Each subcommand is loaded when it is needed, so that publishing a message does not load a server. */
import "./shared/colours.js";
import { defineCommand } from "citty";
import { VERSION } from "../base/package.js";
import { heedSignals } from "./serving/starting.js";
import { call } from "./shared/calling.js";

// Its reader has enough, as in `fanfare config --docs | head -1`. That ends no server, whose log it may be.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

void call(
  defineCommand({
    meta: {
      name: "fanfare",
      version: VERSION,
      description: "Pushes messages from a server to browser windows, in one call.",
    },
    subCommands: {
      dev: async () => {
        heedSignals({ reloads: false });
        return (await import("./commands/dev.js")).dev;
      },
      start: async () => {
        heedSignals({ reloads: true });
        return (await import("./commands/start.js")).start;
      },
      config: async () => (await import("./commands/config.js")).config,
      publish: async () => (await import("./commands/publish.js")).publish,
      token: async () => (await import("./commands/token.js")).token,
      backup: async () => (await import("./commands/backup.js")).backup,
      restore: async () => (await import("./commands/restore.js")).restore,
      key: async () => (await import("./commands/key.js")).key,
      explain: async () => (await import("./commands/explain.js")).explain,
      listen: async () => (await import("./commands/listen.js")).listen,
    },
  }),
  process.argv.slice(2),
);
