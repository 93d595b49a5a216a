/** `{path}/channels/{channel}/messages`: publish, and read the history. */
import { FanfareError, parseChannelName, parsePosition, quote } from "@fanfare/protocol";
import { Hono } from "hono";
import { z } from "zod";
import type { Message, Page } from "../engine/engine.js";
import { answerJson } from "./answer.js";
import { readJson } from "./body.js";
import type { HttpContext, HttpEnv } from "./context.js";

/** Room for the parts of a body around `data`. */
const BODY_OVERHEAD = 4096;
/** JSON writers may spell a character of one byte with six: `\u003c`. */
const BYTES_PER_ESCAPE = 6;

export const DEFAULT_HISTORY = 100;
export const MAX_HISTORY = 1000;

/** What is published. `data` is `unknown`, because other types would drop keys without a word. */
export const publishSchema = z.object({ event: z.string().optional(), data: z.unknown() });

const historySchema = z.object({
  after: z.string().optional(),
  limit: z
    .string()
    .regex(/^[0-9]{1,9}$/)
    .optional(),
});

export function messageRoutes({ hub, allow }: HttpContext): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>();
  // How large `data` is as JSON is checked by the hub.
  const maxBodyBytes = BYTES_PER_ESCAPE * hub.limits.messageBytes + BODY_OVERHEAD;

  routes.post("/channels/:channel/messages", async (c) => {
    const channel = parseChannelName(c.req.param("channel"));
    allow(c, "publish", channel);
    const body = check(publishSchema, await readJson(c, maxBodyBytes), "body");
    const key = c.req.header("idempotency-key");
    const { epoch, offset, repeated } = await hub.publish(channel, { ...body, key, principal: "http" });
    return answerJson(c, JSON.stringify({ channel, epoch, offset }), repeated ? 200 : 201);
  });

  routes.get("/channels/:channel/messages", async (c) => {
    const channel = parseChannelName(c.req.param("channel"));
    allow(c, "history", channel);
    const { after, limit } = check(historySchema, c.req.query(), "query");
    const page = await hub.history(
      channel,
      after === undefined ? null : parsePosition(after),
      checkHistoryLimit(limit === undefined ? DEFAULT_HISTORY : Number(limit)),
    );
    return c.body(pageJson(channel, page), 200, {
      "Content-Type": "application/json",
      "Cache-Control": "no-store",
    });
  });

  return routes;
}

/** @throws FanfareError `invalid_request` */
export function checkHistoryLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_HISTORY) return limit;
  throw new FanfareError("invalid_request", `limit is ${limit}`, {
    remedy: `Give limit a whole number from 1 to ${MAX_HISTORY}, or leave it out.`,
  });
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

/** The same as JSON text. What is JSON in the log is not taken apart: it may be a lot. */
function pageJson(channel: string, { epoch, first, head, messages }: Page): string {
  const around = JSON.stringify({ channel, epoch, first, head });
  return `${around.slice(0, -1)},"messages":[${messages.map(messageJson).join()}]}`;
}

function messageJson({ channel, offset, time, event, json, user, id }: Message): string {
  const around = JSON.stringify({ channel, offset, time, event, user, id });
  return `${around.slice(0, -1)},"data":${json}}`;
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
  throw new FanfareError("invalid_request", `${field} is ${shown(given)}: ${issue?.message ?? "wrong form"}`);
}

/** Never the whole of a value: it may be large, and nested without end. */
function shown(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
