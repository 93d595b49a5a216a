/** `fanfare explain`: asks a running server why something is allowed, or is not. */
import { defineCommand } from "citty";
import { checkArguments } from "./arguments.js";
import { tellErrors } from "./errors.js";
import { askOverHttp } from "./over-http.js";
import { tokenIn, urlArgument } from "./remote.js";

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
      const { allowed, why, remedy } = answer as { allowed: boolean; why: string; remedy: string };
      process.stdout.write(`${allowed ? "allowed" : "not allowed"}: ${why}\n${remedy && `${remedy}\n`}`);
      if (!allowed) process.exitCode = 1;
    }),
});
