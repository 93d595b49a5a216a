/** `{path}/channels/{channel}/messages`: publish, and read the history. */
import { FanfareError, parseChannelName, parsePosition, shown } from "@fanfare/protocol";
import { z } from "zod";
import { check, DEFAULT_PAGE, limitSchema, MAX_PAGE } from "../../base/check.js";
import type { Message } from "../../engine/engine.js";
import type { History } from "../../hub/log/history.js";
import { BODY_OVERHEAD, BYTES_PER_ESCAPE, readJson } from "../exchange/body.js";
import type { HttpContext } from "../exchange/context.js";
import { PUBLISHER_HEADER, publisherIn } from "../exchange/publisher.js";
import { readQuery } from "../exchange/query.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

export const DEFAULT_HISTORY = DEFAULT_PAGE;
const MAX_HISTORY = MAX_PAGE;

const publishSchema = z
  .strictObject({ event: part.event.optional(), data: part.data })
  .meta({ id: "Message", description: "The published value." });

const historySchema = z.strictObject({ after: part.positionText.optional(), limit: limitSchema });

const addressSchema = z.object({ channel: part.channelName });

const keySchema = z.object({
  "Idempotency-Key": part.id.optional(),
  [PUBLISHER_HEADER]: part.publisher.optional(),
});

const pageSchema = z
  .object({
    channel: part.channelName,
    epoch: part.epoch,
    first: part.count.meta({ description: "Offset of the oldest message held; head + 1 when none is." }),
    head: part.count.meta({ description: "Offset of the newest message." }),
    messages: z.array(
      z
        .object({
          channel: part.channelName,
          offset: part.offset,
          time: part.milliseconds,
          event: part.event,
          data: part.data,
          user: z.string().optional().meta({ description: "The user who published, where a client did." }),
          id: part.id.optional(),
        })
        .meta({ id: "HeldMessage", description: "A message of the log." }),
    ),
  })
  .meta({ id: "History", description: "The messages in the log, oldest first." });

export function messageRoutes({ hub, allow, hasRead }: HttpContext): Route[] {
  // How large `data` is as JSON is checked by the hub.
  const maxBodyBytes = BYTES_PER_ESCAPE * hub.limits.messageBytes + BODY_OVERHEAD;
  return [
    {
      method: "POST",
      path: "/channels/:channel/messages",
      id: "publish",
      summary: "Publish a message",
      tag: "messages",
      needs: "publish",
      parameters: [
        { in: "path", schema: addressSchema },
        { in: "header", schema: keySchema },
      ],
      body: publishSchema,
      answers: {
        201: { description: "It is in the log.", schema: part.published },
        200: {
          description: "The key repeats an earlier message, which stands here; nothing was appended.",
          schema: part.published,
        },
      },
      errors: [
        "invalid_channel",
        "invalid_json",
        "invalid_value",
        "invalid_data",
        "invalid_request",
        "too_large",
        "unsupported_media_type",
        "id_reused",
        "share_used_up",
        "too_many_channels",
        "insufficient_storage",
        "unavailable",
      ],
      async handle(c) {
        const channel = parseChannelName(c.req.param("channel") ?? "");
        allow(c, "publish", channel);
        const { event, data } = check(publishSchema, await readJson(c, maxBodyBytes), "body");
        const id = c.env.header("idempotency-key");
        const { user, principal, owner, permit } = publisherIn(c);
        const appended = await hub.publish(channel, { event, data, id, user, principal, owner, permit });
        const { epoch, offset, repeated } = appended;
        return c.env.answerJson(c, JSON.stringify({ channel, epoch, offset }), repeated ? 200 : 201);
      },
    },
    {
      method: "GET",
      path: "/channels/:channel/messages",
      id: "history",
      summary: "Read the history",
      details:
        "A page ends after 1 MiB of data, whatever the limit: while its last offset is below `head`, go on `after` it. With `after` in another epoch, or before `first - 1`, messages are missing, and the answer begins with the oldest held: compare `epoch` and `first`. For the newest ten, give as `after` the position that is ten before `head`.",
      tag: "messages",
      needs: "history",
      parameters: [
        { in: "path", schema: addressSchema },
        { in: "query", schema: historySchema },
      ],
      answers: { 200: { description: "The messages in the log.", schema: pageSchema } },
      errors: ["invalid_channel", "invalid_position", "invalid_request", "unavailable"],
      async handle(c) {
        const channel = parseChannelName(c.req.param("channel") ?? "");
        allow(c, "history", channel);
        const { after, limit } = readQuery(c, historySchema);
        const position = after === undefined ? null : parsePosition(after);
        const page = await hub.history(channel, position, limit);
        const json = await hub.slices.run(() => pageJson(channel, page));
        hasRead(c, page.looked);
        c.get("requestCaller").check();
        return c.body(json, 200, {
          "Content-Type": "application/json",
          "Cache-Control": "no-store",
        });
      },
    },
  ];
}

/** @throws FanfareError `invalid_request` */
export function checkHistoryLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_HISTORY) return limit;
  throw new FanfareError("invalid_request", `limit is ${shown(limit)}`, {
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

/** The same as JSON text. It does not parse the JSON of the log, which may be large. */
function pageJson(channel: string, { epoch, first, head, messages }: History): string {
  const around = JSON.stringify({ channel, epoch, first, head });
  return `${around.slice(0, -1)},"messages":[${messages.map(messageJson).join()}]}`;
}

function messageJson({ channel, offset, time, event, json, user, id }: Message): string {
  const around = JSON.stringify({ channel, offset, time, event, user, id });
  return `${around.slice(0, -1)},"data":${json}}`;
}
