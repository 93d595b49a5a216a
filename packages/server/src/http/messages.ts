/** `{path}/channels/{channel}/messages`: publish, and read the history. */
import { FanfareError, parseChannelName, parsePosition, quote } from "@fanfare/protocol";
import { Hono } from "hono";
import { z } from "zod";
import type { Message } from "../engine/engine.js";
import type { HttpContext, HttpEnv } from "./app.js";
import { readJson } from "./body.js";

/** Room for the parts of a body around `data`. */
const BODY_OVERHEAD = 4096;
const MAX_HISTORY = 1000;

/** What is published. `data` is `unknown`, because other types would drop keys without a word. */
export const publishSchema = z.object({ event: z.string().optional(), data: z.unknown() });

const historySchema = z.object({
  after: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(MAX_HISTORY).default(100),
});

export function messageRoutes({ hub, allow }: HttpContext): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();

  routes.post("/channels/:channel/messages", async (c) => {
    const channel = parseChannelName(c.req.param("channel"));
    allow("publish", channel);
    const body = check(publishSchema, await readJson(c, hub.limits.messageBytes + BODY_OVERHEAD), "body");
    const key = c.req.header("idempotency-key");
    const { epoch, offset, repeated } = await hub.publish(channel, { ...body, key, principal: "http" });
    return c.json({ channel, epoch, offset }, repeated ? 200 : 201);
  });

  routes.get("/channels/:channel/messages", async (c) => {
    const channel = parseChannelName(c.req.param("channel"));
    allow("history", channel);
    const { after, limit } = check(historySchema, c.req.query(), "query");
    const page = await hub.history(channel, after === undefined ? null : parsePosition(after), limit);
    const { epoch, first, head } = page;
    return c.json({ channel, epoch, first, head, messages: page.messages.map(toPublic) });
  });

  return routes;
}

/** A message of the log as callers see it. */
export function toPublic({ channel, offset, time, event, json, user, id }: Message) {
  const data: unknown = JSON.parse(json);
  return {
    channel,
    offset,
    time,
    event,
    data,
    ...(user !== undefined && { user }),
    ...(id !== undefined && { id }),
  };
}

/** @throws FanfareError `invalid_request`, naming the first field that is wrong */
function check<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = [where, ...(issue?.path ?? [])].join(".");
  const given = issue?.path.reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown>)?.[key],
    value,
  );
  const shown = quote(typeof given === "string" ? given : (JSON.stringify(given) ?? "missing"));
  throw new FanfareError("invalid_request", `${field} is ${shown}: ${issue?.message ?? "wrong form"}`);
}
