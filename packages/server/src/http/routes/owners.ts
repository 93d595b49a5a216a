/** `{path}/owners`: which users and addresses hold most of what there is. */
import { z } from "zod";
import { limitSchema } from "../../base/check.js";
import type { Holdings } from "../../engine/engine.js";
import { Greatest } from "../../engine/greatest.js";
import type { Hub } from "../../hub/hub.js";
import type { Listening, OwnerListening } from "../../hub/terms/listening.js";
import type { HttpContext } from "../exchange/context.js";
import { readQuery } from "../exchange/query.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";
import { owner } from "./channels.js";

const LISTENING = ["connections", "subscriptions"] as const satisfies readonly (keyof Listening)[];

const querySchema = z.strictObject({
  by: z
    .enum(["channels", "states", "stateBytes", "sequences", "locks", ...LISTENING])
    .default("channels")
    .meta({ description: "Of what they hold most." }),
  limit: limitSchema,
});

const ownersSchema = z
  .object({
    owners: z.array(
      z.object({
        owner,
        channels: part.count.meta({ description: "Channels that it made, locks and sequences aside." }),
        states: part.count.meta({ description: "States that it brought into being." }),
        stateBytes: part.count.meta({ description: "Their bytes as JSON." }),
        sequences: part.count,
        locks: part.count.meta({ description: "Also those that have been free for less than a day." }),
        connections: part.count.meta({ description: "Connections to this node." }),
        subscriptions: part.count.meta({ description: "Subscriptions of these." }),
      }),
    ),
  })
  .meta({ id: "Owners" });

export function ownerRoutes({ hub, allow }: HttpContext): Route[] {
  return [
    {
      method: "GET",
      path: "/owners",
      id: "owners",
      summary: "List those who hold most",
      details:
        "Users, and the addresses of anonymous callers, the greatest first. The answer says what each has made that is still there, and what each has open on this node. `limits.channelsPerOwner` and the limits beside it say how much one may have. Things that API keys and the server itself make have no owner.",
      tag: "channels",
      needs: "admin",
      parameters: [{ in: "query", schema: querySchema }],
      answers: { 200: { description: "The greatest owners.", schema: ownersSchema } },
      errors: ["invalid_request", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const { by, limit } = readQuery(c, querySchema);
        const owners = await ownersBy(hub, by, limit);
        c.get("requestCaller").check();
        return c.json({ owners }, 200, { "Cache-Control": "no-store" });
      },
    },
  ];
}

interface Owner extends Holdings, Listening {
  readonly owner: string;
}

async function ownersBy(
  { engine, listening, slices }: Hub,
  by: keyof Holdings | keyof Listening,
  limit: number,
) {
  if (by !== "connections" && by !== "subscriptions") {
    const owners = await engine.logs.owners(by, limit);
    return owners.map((each): Owner => ({ ...each, ...openOf(listening.of(each.owner)) }));
  }
  const greatest = new Greatest<keyof Listening, OwnerListening>(by, limit);
  await slices.each(listening.values(), (each) => greatest.offer(each));
  const owners = greatest.take();
  return await Promise.all(
    owners.map(
      async ({ owner, connections, subscriptions }): Promise<Owner> => ({
        owner,
        ...(await engine.logs.holdings(owner)),
        connections,
        subscriptions,
      }),
    ),
  );
}

function openOf({ connections, subscriptions }: Listening): Listening {
  return { connections, subscriptions };
}
