/** `fanfare listen`: prints what arrives on a channel, until it is stopped. */
import type { ConnectionState, Gap, Message } from "@fanfare/client";
import { parsePosition } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { checkArguments } from "./arguments.js";
import { tellErrors } from "./errors.js";
import { connect, keyOfEnvironment, tokenIn, urlArgument } from "./remote.js";

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
      const client = connect(url, (await tokenIn(token)) ?? keyOfEnvironment());
      client.on("state", (state) => say(inWords(state)));
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => client.close());
      const print = json ? (message: Message) => `${JSON.stringify(message)}\n` : line;
      await new Promise<void>((resolve, reject) => {
        client.subscribe(channel, (message) => process.stdout.write(print(message)), {
          ...(since !== undefined && { since: parsePosition(since) }),
          onGap: (gap) => say(missing(gap)),
          onError: reject,
        });
        client.on("state", ({ status }) => status === "closed" && resolve());
      }).finally(() => client.close());
      // What the server would not have again is an error; stopping is none.
      if (client.state.status === "closed" && client.state.code !== null) process.exitCode = 1;
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

function inWords(state: ConnectionState): string {
  switch (state.status) {
    case "reconnecting":
      return `${state.why} Next try in ${Math.max(0, (state.retryAt - Date.now()) / 1000).toFixed(1)} s.`;
    case "closed":
      return state.code === null ? "stopped" : `${state.why} ${state.remedy}`;
    default:
      return state.status;
  }
}

/** Messages go to standard output, everything else beside them. */
function say(text: string): void {
  process.stderr.write(`# ${text}\n`);
}
