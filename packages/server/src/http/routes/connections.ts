/** `{path}/connections`: the clients of all nodes, how each keeps up, and how to send one away. */
import { FanfareError, quote } from "@fanfare/protocol";
import { z } from "zod";
import { limitSchema } from "../../base/check.js";
import type { HttpContext } from "../exchange/context.js";
import { readQuery } from "../exchange/query.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

const connectionName = z.string().meta({
  description: "The connection's name, as `connected` told it to the client.",
  minLength: 1,
  maxLength: 100,
});

const addressSchema = z.object({ connection: connectionName });

const querySchema = z.strictObject({
  after: z.string().min(1).max(100).optional().meta({ description: "The name after which the page begins." }),
  limit: limitSchema,
});

const node = z.string().meta({
  description: "The machine and the process of a node.",
  examples: ["server-1:4711"],
});

const connectionSchema = z
  .object({
    connection: connectionName,
    node,
    door: z
      .string()
      .meta({ description: "The door that it came through.", examples: ["websocket", "sse", "socketio"] }),
    since: part.milliseconds,
    subscriptions: part.count,
    lagging: part.count.meta({ description: "How many subscriptions are behind." }),
    waitingBytes: part.count.meta({ description: "Bytes that have not left the process." }),
    full: z.boolean().meta({ description: "Whether the client takes nothing at the moment." }),
    furthestBehind: part.count.meta({
      description: "Messages that the subscription furthest behind has not been written.",
    }),
  })
  .meta({ id: "Connection" });

const connectionsSchema = z
  .object({
    connections: z.array(connectionSchema),
    next: part.next,
    silent: z.array(node).meta({ description: "Nodes that did not answer within a second." }),
  })
  .meta({ id: "Connections" });

const detailSchema = connectionSchema
  .extend({
    channels: z.array(
      z.object({
        channel: part.audibleName,
        state: z.enum(["joining", "lagging", "ahead", "live"]).meta({
          description: "live: it gets what comes at once. lagging: it is brought forward page by page.",
        }),
        behind: part.count.meta({ description: "Messages that it has not been written." }),
      }),
    ),
  })
  .meta({ id: "ConnectionDetail" });

export function connectionRoutes({ allow, allConnections }: HttpContext): Route[] {
  return [
    {
      method: "GET",
      path: "/connections",
      id: "connections",
      summary: "List the connections of all nodes",
      tag: "connections",
      needs: "admin",
      parameters: [{ in: "query", schema: querySchema }],
      answers: {
        200: {
          description:
            "A page of connections, in the order of their names. A node that did not answer within a second is named in `silent`, and its connections are left out.",
          schema: connectionsSchema,
        },
      },
      errors: ["invalid_request", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const { after, limit } = readQuery(c, querySchema);
        const page = await allConnections.list(after ?? null, limit);
        c.get("requestCaller").check();
        return c.json(page, 200, { "Cache-Control": "no-store" });
      },
    },
    {
      method: "GET",
      path: "/connections/:connection",
      id: "connection",
      summary: "Look at a connection",
      tag: "connections",
      needs: "admin",
      parameters: [{ in: "path", schema: addressSchema }],
      answers: { 200: { description: "How it stands, channel by channel.", schema: detailSchema } },
      errors: ["not_found", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const name = c.req.param("connection") ?? "";
        const connection = await allConnections.look(name);
        c.get("requestCaller").check();
        if (!connection) throw unknown(name);
        return c.json(connection, 200, { "Cache-Control": "no-store" });
      },
    },
    {
      method: "DELETE",
      path: "/connections/:connection",
      id: "disconnect",
      summary: "Send a client away",
      details:
        "Closes the connection with 4410 and ends its session, on whatever node it is. A client does not come back from this by itself.",
      tag: "connections",
      needs: "admin",
      parameters: [{ in: "path", schema: addressSchema }],
      answers: { 204: { description: "The connection is being closed." } },
      errors: ["not_found", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const name = c.req.param("connection") ?? "";
        if (!(await allConnections.disconnect(name))) throw unknown(name);
        return c.body(null, 204);
      },
    },
  ];
}

function unknown(name: string): FanfareError {
  return new FanfareError("not_found", `there is no connection ${quote(name)} on any node`, {
    remedy: "Compare the name with the list of connections; the client may have left.",
  });
}
