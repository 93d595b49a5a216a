/** `fanfare token`: makes a token for a user, with the secret of the running server, or of the configuration where none runs. */
import { quote } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { DEFAULT_TOKEN_SECONDS } from "../../access/tokens/sign.js";
import { UsageError } from "../../base/usage-error.js";
import { checkArguments, parseJson } from "../shared/arguments.js";
import { configFileArgument, configuration } from "../shared/configuration.js";
import { controlOf } from "../shared/control.js";
import { tellErrors } from "../shared/errors.js";
import { grantArguments, grantsIn } from "../shared/grants.js";

const args = {
  user: { type: "string", description: "Id of the user, such as alice", required: true, valueHint: "id" },
  channel: grantArguments.channel,
  action: { ...grantArguments.action, default: "subscribe,history" },
  seconds: {
    type: "string",
    default: String(DEFAULT_TOKEN_SECONDS),
    description: "How long it is good for, in seconds",
    valueHint: "number",
  },
  info: {
    type: "string",
    description: "What others see of the user who is present, as JSON of at most 1 KiB",
    valueHint: "json",
  },
  config: configFileArgument,
} as const;

export const token = defineCommand({
  meta: { name: "token", description: "Makes a token for a user, and prints it." },
  args,
  run: (context) =>
    tellErrors("token", async () => {
      const { user, action, seconds, info, config } = context.args;
      checkArguments(context, args);
      const inForce = (await configuration({ config })).config;
      const request = {
        user,
        grants: grantsIn(context.rawArgs, action, user),
        ...(info !== undefined && { info: parseJson(info) }),
        expiresInSeconds: secondsIn(seconds),
      };
      const control = await controlOf(inForce);
      if (!control.isRunning && inForce.tokens.secrets.length === 0) {
        throw new UsageError(
          "there is no secret to make tokens with",
          "Make one, for the server and for this command:\n\n  export FANFARE_SECRET=$(openssl rand -hex 32)",
        );
      }
      const { token } = await control.makeToken(request);
      process.stdout.write(`${token}\n`);
    }),
});

/** @throws UsageError */
function secondsIn(text: string): number {
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  // The one that makes the token knows how long it may be good for.
  if (seconds >= 1) return seconds;
  throw new UsageError(`--seconds is ${quote(text)}`, "Give a whole number of seconds, at least 1.");
}
