/** `{path}/channels/{channel}/presence`: the members of a channel, page by page. */
import { parseChannelName } from "@fanfare/protocol";
import { z } from "zod";
import { limitSchema } from "../../base/check.js";
import type { HttpContext } from "../exchange/context.js";
import { readQuery } from "../exchange/query.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

/** A user's id, and what makes it a member's. */
const MAX_ID_LENGTH = 210;

const memberId = z.string().meta({
  description:
    "Names the member: `user:` and the id of the user; or `session:` and a name that is no secret.",
  examples: ["user:alice"],
});

const addressSchema = z.object({ channel: part.channelName });

const querySchema = z.strictObject({
  after: z
    .string()
    .min(1)
    .max(MAX_ID_LENGTH)
    .optional()
    .meta({ description: "The id after which the page begins." }),
  limit: limitSchema,
});

const memberSchema = z
  .object({
    id: memberId,
    user: z.string().optional().meta({ description: "The id of the user; absent for who has none." }),
    info: part.data.optional().meta({
      description: "The user's token, or your application, says this about them.",
      examples: [{ name: "Alice" }],
    }),
    since: part.milliseconds,
  })
  .meta({ id: "Member" });

const presenceSchema = z
  .object({
    channel: part.channelName,
    count: part.count.meta({ description: "How many members there are in all." }),
    members: z.array(memberSchema),
    next: part.next,
  })
  .meta({ id: "Presence" });

export function presenceRoutes({ hub, allow, hasRead }: HttpContext): Route[] {
  return [
    {
      method: "GET",
      path: "/channels/:channel/presence",
      id: "presence",
      summary: "Read who is there",
      details:
        "On all nodes, in the order of their ids. A user is one member, whatever the number of his connections, and is there until 10 seconds after the last has ended. The rule of the channel has to have `presence`.",
      tag: "channels",
      needs: "presence",
      parameters: [
        { in: "path", schema: addressSchema },
        { in: "query", schema: querySchema },
      ],
      answers: { 200: { description: "A page of members.", schema: presenceSchema } },
      errors: ["invalid_channel", "invalid_request", "not_configured"],
      async handle(c) {
        const channel = parseChannelName(c.req.param("channel") ?? "");
        allow(c, "presence", channel);
        const { after = null, limit } = readQuery(c, querySchema);
        const page = await hub.presence.page(channel, after, limit);
        hasRead(c, { records: page.count });
        c.get("requestCaller").check();
        return c.json({ channel, ...page }, 200, { "Cache-Control": "no-store" });
      },
    },
  ];
}
