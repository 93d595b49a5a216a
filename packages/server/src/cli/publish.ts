/** `fanfare publish`: sends one message, and prints where it stands. */
import { text } from "node:stream/consumers";
import type { Client } from "@fanfare/client";
import { CLOSE } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { checkArguments, parseJson } from "./arguments.js";
import { tellErrors } from "./errors.js";
import { publishOverHttp } from "./over-http.js";
import { connect, connected, keyOfEnvironment, RemoteError, urlArgument } from "./remote.js";

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
  "api-key": {
    type: "string",
    description:
      "Publishes over HTTP with this key; a server of fanfare start wants one (default $FANFARE_API_KEY)",
    valueHint: "key",
  },
  url: urlArgument,
} as const;

export const publish = defineCommand({
  meta: { name: "publish", description: "Publishes a message to a channel of a running server." },
  args,
  run: (context) =>
    tellErrors("publish", async () => {
      const { channel, json, event, key, url } = context.args;
      checkArguments(context, args);
      const data = parseJson(json === "-" ? await text(process.stdin) : json);
      const apiKey = context.args["api-key"] ?? keyOfEnvironment();
      const published =
        // Over a WebSocket an idempotency key holds for one session only, which would end with this call.
        apiKey === undefined && key === undefined
          ? await publishOverSocket(url, channel, data, event)
          : await publishOverHttp({ url, apiKey, channel, event, data, key });
      process.stdout.write(`${JSON.stringify(published)}\n`);
    }),
});

async function publishOverSocket(
  url: string,
  channel: string,
  data: unknown,
  event: string | undefined,
): Promise<unknown> {
  const client = connect(url);
  try {
    await connected(client);
    const { epoch, offset } = await client.publish(channel, data, {
      ...(event && { event }),
    });
    return { channel, epoch, offset };
  } catch (error) {
    throw closedBy(client) ?? error;
  } finally {
    client.close();
  }
}

/** A server that closes for good says why, which tells more than that there was no answer. */
function closedBy({ state }: Client): RemoteError | null {
  if (state.status !== "closed" || state.code === null) return null;
  const key = "Give an API key, as FANFARE_API_KEY or with --api-key, if the server has any.";
  return new RemoteError(state.why, state.code === CLOSE.notAllowed.code ? key : state.remedy);
}
