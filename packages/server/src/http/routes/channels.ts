/** `{path}/channels`: which channels there are. */
import { FanfareError, parseAudibleName, parseChannelName } from "@fanfare/protocol";
import { z } from "zod";
import { limitSchema } from "../../base/check.js";
import type { HttpContext } from "../exchange/context.js";
import { readQuery } from "../exchange/query.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

/** As `GET {path}/owners` tells it, too. */
export const owner = z.string().meta({
  description: "A user, or the address of an anonymous caller.",
  examples: ["user alice", "address 192.0.2.7"],
});

const addressSchema = z.object({ channel: part.channelName });

const querySchema = z.strictObject({ after: part.audibleName.optional(), limit: limitSchema });

const channelsSchema = z
  .object({
    channels: z.array(
      z.object({
        channel: part.audibleName,
        epoch: part.epoch,
        head: part.count.meta({ description: "Offset of the newest message." }),
        first: part.count
          .optional()
          .meta({ description: "Offset of the oldest message held; head + 1 when none is." }),
        subscribers: part.count.meta({ description: "Subscriptions on this node." }),
        owner: owner.optional().meta({
          description: "Its maker; absent where that was an API key or the server itself.",
        }),
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
        "Channels that have a log, or a listener on this node, in the order of their names. Locks and sequences are among them as `$lock:name` and `$sequence:name`. It looks at all there are for each page; of 1,000,000 that takes some tenths of a second, during which everything else goes on.",
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
        c.get("requestCaller").check();
        const channels = found.slice(0, limit);
        const next = found.length > limit ? (channels.at(-1)?.channel ?? null) : null;
        return c.json({ channels, next }, 200, { "Cache-Control": "no-store" });
      },
    },
    {
      method: "DELETE",
      path: "/channels/:channel",
      id: "removeChannel",
      summary: "Remove a channel",
      details:
        "Throws away its log and its state, and gives its place back to its owner. Its subscriptions stay and are told of a gap: the channel goes on at the beginning of a new epoch. Presence is not touched. A channel that has listeners stays in the list, without an owner, until it has had no listeners for an hour. Free a lock by `DELETE {path}/locks/{name}/holder`, and remove a sequence by `DELETE {path}/sequences/{name}`.",
      tag: "channels",
      needs: "admin",
      parameters: [{ in: "path", schema: addressSchema }],
      answers: { 204: { description: "The channel is empty." } },
      errors: ["invalid_channel", "not_found", "insufficient_storage", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const channel = parseChannelName(c.req.param("channel") ?? "");
        if (await hub.remove(channel, c.get("requestCaller"))) return c.body(null, 204);
        throw new FanfareError("not_found", `nothing was ever published to ${channel}, or it is forgotten`);
      },
    },
  ];
}
