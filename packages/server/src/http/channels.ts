/** `{path}/channels`: which channels there are. */
import { parseAudibleName } from "@fanfare/protocol";
import { z } from "zod";
import { limitSchema } from "./check.js";
import type { HttpContext } from "./context.js";
import { readQuery } from "./query.js";
import type { Route } from "./route.js";
import * as part from "./schemas.js";

const querySchema = z.strictObject({ after: part.channelName.optional(), limit: limitSchema });

const channelsSchema = z
  .object({
    channels: z.array(
      z.object({
        channel: part.channelName,
        epoch: part.epoch,
        head: part.count.meta({ description: "Offset of the newest message." }),
        first: part.count
          .optional()
          .meta({ description: "Offset of the oldest message held; head + 1 when none is." }),
        subscribers: part.count.meta({ description: "Subscriptions on this node." }),
      }),
    ),
    next: part.next,
  })
  .meta({ id: "Channels" });

export function channelRoutes({ hub, allow }: HttpContext): Route[] {
  return [
    {
      method: "GET",
      path: "/channels",
      id: "channels",
      summary: "List the channels",
      details:
        "Those that have a log, and those that are listened to on this node, in the order of their names; locks and sequences are among them as `$lock:name` and `$sequence:name`. It looks at all there are for each page; of 1,000,000 that takes some tenths of a second, during which everything else goes on.",
      tag: "channels",
      needs: "admin",
      parameters: [{ in: "query", schema: querySchema }],
      answers: { 200: { description: "A page of channels.", schema: channelsSchema } },
      errors: ["invalid_channel", "invalid_request", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const { after, limit } = readQuery(c, querySchema);
        const name = after === undefined ? null : parseAudibleName(after);
        // One more than asked for tells whether there is another page.
        const found = await hub.list(name, limit + 1);
        const channels = found.slice(0, limit);
        const next = found.length > limit ? (channels.at(-1)?.channel ?? null) : null;
        return c.json({ channels, next }, 200, { "Cache-Control": "no-store" });
      },
    },
  ];
}
