/** The command `fanfare`. */
import { defineCommand, runMain } from "citty";
import { dev } from "./dev.js";

void runMain(
  defineCommand({
    meta: {
      name: "fanfare",
      description: "Pushes messages from a server to browser windows, in one call.",
    },
    subCommands: { dev },
  }),
);
