/** The command `fanfare`. Each subcommand is loaded when it is needed, so that publishing a message does not load a server. */
import "./colours.js";
import { readFileSync } from "node:fs";
import { defineCommand } from "citty";
import { call } from "./calling.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

void call(
  defineCommand({
    meta: {
      name: "fanfare",
      version,
      description: "Pushes messages from a server to browser windows, in one call.",
    },
    subCommands: {
      dev: async () => (await import("./dev.js")).dev,
      start: async () => (await import("./start.js")).start,
      config: async () => (await import("./config.js")).config,
      publish: async () => (await import("./publish.js")).publish,
      token: async () => (await import("./token.js")).token,
      key: async () => (await import("./key.js")).key,
      explain: async () => (await import("./explain.js")).explain,
      listen: async () => (await import("./listen.js")).listen,
    },
  }),
  process.argv.slice(2),
);
