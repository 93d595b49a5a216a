/** `fanfare publish`: sends one message, and prints where it stands. */
import { text } from "node:stream/consumers";
import { type Client, ClientError } from "@fanfare/client";
import { CLOSE } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { checkArguments, parseJson } from "../shared/arguments.js";
import { tellErrors } from "../shared/errors.js";
import { publishOverHttp } from "../shared/over-http.js";
import { keyOfEnvironment, Remote, RemoteError, urlArgument } from "../shared/remote.js";

const args = {
  channel: { type: "positional", description: "Channel, such as order:42", required: true },
  json: {
    type: "positional",
    description: "The data as JSON; - reads it from standard input",
    required: true,
  },
  event: { type: "string", description: 'What kind of message (default "message")', valueHint: "name" },
  id: {
    type: "string",
    description: "Idempotency key: the same message with the same id is appended once",
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
      const { channel, json, event, id, url } = context.args;
      checkArguments(context, args);
      const data = parseJson(json === "-" ? await text(process.stdin) : json);
      const apiKey = context.args["api-key"] ?? keyOfEnvironment();
      const published =
        // Over a WebSocket an idempotency key holds for one session only, which would end with this call.
        apiKey === undefined && id === undefined
          ? await publishOverSocket(url, channel, data, event)
          : await publishOverHttp({ url, apiKey, channel, event, data, id });
      process.stdout.write(`${JSON.stringify(published)}\n`);
    }),
});

async function publishOverSocket(
  url: string,
  channel: string,
  data: unknown,
  event: string | undefined,
): Promise<unknown> {
  const remote = new Remote(url);
  const { client } = remote;
  try {
    await remote.connected();
    const { epoch, offset } = await client.publish(channel, data, {
      ...(event && { event }),
    });
    return { channel, epoch, offset };
  } catch (error) {
    throw closedBy(client) ?? refusedBy(error) ?? error;
  } finally {
    client.close();
  }
}

const GIVE_KEY = "Give an API key, as FANFARE_API_KEY or with --api-key, if the server has any.";

/** A server that closes for good says why, which tells more than that there was no answer. */
function closedBy({ connection }: Client): RemoteError | null {
  if (connection.status !== "closed" || connection.code === null) return null;
  return new RemoteError(
    connection.reason,
    connection.code === CLOSE.notAllowed.code ? GIVE_KEY : connection.remedy,
  );
}

/** The server allows this for others. */
function refusedBy(error: unknown): RemoteError | null {
  return error instanceof ClientError && error.code === "forbidden"
    ? new RemoteError(error.message, GIVE_KEY)
    : null;
}
