/** `fanfare publish`: sends one message, and prints where it stands. */
import { text } from "node:stream/consumers";
import { quote } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { checkNoOthers, UsageError } from "./arguments.js";
import { tellErrors } from "./errors.js";
import { connect, connected, urlArgument } from "./remote.js";

const args = {
  channel: { type: "positional", description: "Channel, such as order:42", required: true },
  json: {
    type: "positional",
    description: "The data as JSON; - reads it from standard input",
    required: true,
  },
  event: { type: "string", description: 'What kind of message (default "message")', valueHint: "name" },
  key: {
    type: "string",
    description: "Idempotency key: the same message is appended once",
    valueHint: "text",
  },
  url: urlArgument,
} as const;

export const publish = defineCommand({
  meta: { name: "publish", description: "Publishes a message to a channel of a running server." },
  args,
  run: (context) =>
    tellErrors("publish", async () => {
      const { channel, json, event, key, url } = context.args;
      checkNoOthers(context.rawArgs, context.args._.slice(2), Object.keys(args));
      const data = parseData(json === "-" ? await text(process.stdin) : json);
      const client = connect(url);
      try {
        await connected(client);
        const { epoch, offset } = await client.publish(channel, data, {
          ...(event && { event }),
          ...(key && { key }),
        });
        process.stdout.write(`${JSON.stringify({ channel, epoch, offset })}\n`);
      } finally {
        client.close();
      }
    }),
});

/** @throws UsageError */
function parseData(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new UsageError(
      `${quote(json)} is no JSON`,
      `Quote text twice, for the shell and as JSON: '"Hello"'.`,
    );
  }
}
