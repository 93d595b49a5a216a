/** `fanfare explain`: asks a running server why something is allowed, or is not. */
import { parseChannelName, quote } from "@fanfare/protocol";
import { defineCommand } from "citty";
import { ACTIONS, isAction } from "../../access/grants/actions.js";
import { nearest } from "../../base/nearest.js";
import { UsageError } from "../../base/usage-error.js";
import { checkArguments } from "../shared/arguments.js";
import { tellErrors } from "../shared/errors.js";
import { askOverHttp } from "../shared/over-http.js";
import { tokenIn, urlArgument } from "../shared/remote.js";

const args = {
  action: { type: "positional", description: "What is to be done, such as subscribe", required: true },
  channel: { type: "positional", description: "Where, such as order:42; not for admin", required: false },
  token: {
    type: "string",
    description:
      "The key or token that it is about; - reads it from standard input (default: none, who says nothing)",
    valueHint: "token",
  },
  url: urlArgument,
} as const;

export const explain = defineCommand({
  meta: { name: "explain", description: "Says why a token or key may do something, or may not." },
  args,
  run: (context) =>
    tellErrors("explain", async () => {
      const { action, channel, token, url } = context.args;
      checkArguments(context, args);
      checkQuestion(action, channel);
      const given = await tokenIn(token);
      const answer = await askOverHttp({
        url,
        path: "/access/explain",
        body: {
          action,
          ...(channel !== undefined && { channel }),
          ...(given !== undefined && { token: given }),
        },
      });
      const { allowed, reason, remedy } = answer as { allowed: boolean; reason: string; remedy: string };
      process.stdout.write(`${allowed ? "allowed" : "not allowed"}: ${reason}\n${remedy && `${remedy}\n`}`);
      if (!allowed) process.exitCode = 1;
    }),
});

/** So that what is wrong with the call is told from a refusal. @throws UsageError, FanfareError `invalid_channel` */
function checkQuestion(action: string, channel: string | undefined): void {
  if (!isAction(action)) {
    const known = Object.keys(ACTIONS);
    const close = nearest(action, known);
    throw new UsageError(
      `there is no action ${quote(action, 100)}`,
      close === undefined ? `Give one of ${known.join(", ")}.` : `Did you mean ${close}?`,
    );
  }
  if (channel !== undefined) parseChannelName(channel);
  else if (ACTIONS[action].on === "channel") {
    throw new UsageError("the channel is missing", `Give the one on which to ${action}, such as order:42.`);
  }
}
