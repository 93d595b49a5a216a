/** `fanfare listen`: prints what arrives on a channel, until it is stopped. */
import type { Connection, Gap, Message } from "@fanfare/client";
import { parsePosition } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { checkArguments } from "../shared/arguments.js";
import { tellErrors } from "../shared/errors.js";
import { keyOfEnvironment, Remote, tokenIn, urlArgument } from "../shared/remote.js";

const args = {
  channel: { type: "positional", description: "Channel, such as order:42", required: true },
  since: { type: "string", description: "Begins after this position", valueHint: "epoch:offset" },
  json: { type: "boolean", default: false, description: "Prints each message whole, as a line of JSON" },
  token: {
    type: "string",
    description: "Token of a user, or API key; - reads it from standard input (default $FANFARE_API_KEY)",
    valueHint: "token",
  },
  url: urlArgument,
} as const;

export const listen = defineCommand({
  meta: { name: "listen", description: "Prints what arrives on a channel of a running server." },
  args,
  run: (context) =>
    tellErrors("listen", async () => {
      const { channel, since, json, token, url } = context.args;
      checkArguments(context, args);
      const remote = new Remote(url, (await tokenIn(token)) ?? keyOfEnvironment());
      const { client } = remote;
      client.on("connection", (state) => say(inWords(state, remote)));
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => client.close());
      // Its reader has enough, as in `fanfare listen a | head -1`.
      process.stdout.once("error", () => client.close());
      const print = json ? (message: Message) => `${JSON.stringify(message)}\n` : line;
      await new Promise<void>((resolve, reject) => {
        client.subscribe(channel, (message) => process.stdout.write(print(message)), {
          ...(since !== undefined && { since: parsePosition(since) }),
          onGap: (gap) => say(missing(gap)),
          onError: (error) =>
            passes(error) ? say(`${error.message}. It is asked for again.`) : reject(error),
        });
        client.on("connection", ({ status }) => status === "closed" && resolve());
      }).finally(() => client.close());
      // A server that refuses the client for good is an error; stopping is not.
      if (client.connection.status === "closed" && client.connection.code !== null) process.exitCode = 1;
    }),
});

function line({ offset, time, event, data }: Message): string {
  return `${offset}\t${new Date(time).toISOString()}\t${event}\t${JSON.stringify(data)}\n`;
}

function missing({ from, to, reason }: Gap): string {
  return from === null
    ? `messages are missing: ${reason}`
    : `messages ${from} to ${to} are missing: ${reason}`;
}

function inWords(connection: Connection, remote: Remote): string {
  switch (connection.status) {
    case "reconnecting":
      return `${remote.reason(connection)} Next try in ${Math.max(0, (connection.retryAt - Date.now()) / 1000).toFixed(1)} s.`;
    case "closed":
      return connection.code === null ? "stopped" : `${remote.reason(connection)} ${connection.remedy}`;
    default:
      return connection.status;
  }
}

/** The client asks again for a channel that was refused so. */
function passes(error: Error): boolean {
  return "passes" in error && error.passes === true;
}

/** Messages go to standard output, everything else beside them. */
function say(text: string): void {
  process.stderr.write(`# ${text}\n`);
}
