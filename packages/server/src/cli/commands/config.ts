/** `fanfare config`: what is in force and where it came from, or what every option is for. */
import { defineCommand } from "citty";
import { configDocs } from "../../config/docs.js";
import { asJson, asTable } from "../../config/table.js";
import { checkArguments } from "../shared/arguments.js";
import { configuration, configurationArguments } from "../shared/configuration.js";
import { tellErrors } from "../shared/errors.js";
import { mayHoldKeys, someMayPublish } from "../shared/publishers.js";

const args = {
  json: { type: "boolean", default: false, description: "Prints JSON" },
  docs: { type: "boolean", default: false, description: "Prints what every option is for, as Markdown" },
  ...configurationArguments,
} as const;

export const config = defineCommand({
  meta: { name: "config", description: "Prints the configuration in force, and where each value came from." },
  args,
  run: (context) =>
    tellErrors("config", async () => {
      checkArguments(context, args);
      if (context.args.docs === true) {
        process.stdout.write(configDocs());
        return;
      }
      const inForce = await configuration(context.args);
      process.stdout.write(context.args.json === true ? asJson(inForce) : asTable(inForce));
      if (!(await someMayPublish(inForce.config, async () => mayHoldKeys(inForce.config)))) {
        process.stderr.write(
          "fanfare start will need an API key: export FANFARE_API_KEY=$(openssl rand -hex 24)\n",
        );
      }
    }),
});
