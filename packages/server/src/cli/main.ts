/** The command `fanfare`. */
import { readFileSync } from "node:fs";
import { defineCommand, runMain } from "citty";
import { dev } from "./dev.js";
import { listen } from "./listen.js";
import { publish } from "./publish.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

void runMain(
  defineCommand({
    meta: {
      name: "fanfare",
      version,
      description: "Pushes messages from a server to browser windows, in one call.",
    },
    subCommands: { dev, publish, listen },
  }),
);
