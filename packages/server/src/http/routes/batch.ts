/**
 * `{path}/messages`: publish many messages at once, or one to many channels. Either all of them are valid, or none is appended; each
 * is appended by itself.
 */
import {
  type ChannelName,
  FanfareError,
  isJsonObject,
  type JsonObject,
  type Position,
  parseChannelName,
} from "@fanfare/protocol";
import type { Context } from "hono";
import { z } from "zod";
import { check } from "../../base/check.js";
import { checkMembers } from "../../base/known-names.js";
import type { BatchResult, Prepared } from "../../hub/publishing.js";
import { problemOf } from "../../wire/problem.js";
import { readJson } from "../exchange/body.js";
import type { HttpContext, HttpEnv } from "../exchange/context.js";
import { publisherIn } from "../exchange/publisher.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

const MAX_MESSAGES = 1000;
const MAX_BYTES = 1024 * 1024;

const contentSchema = { event: part.event.optional(), data: part.data, id: part.id.optional() };

const itemSchema = z.strictObject({ channel: part.channelName, ...contentSchema });

const batchSchema = z
  .strictObject({ messages: z.array(itemSchema).max(MAX_MESSAGES) })
  .meta({ id: "Batch", description: `At most ${MAX_MESSAGES} messages, and 1 MiB as a whole.` });

const toManySchema = z
  .strictObject({ channels: z.array(part.channelName).max(MAX_MESSAGES), ...contentSchema })
  .meta({ id: "MessageToMany", description: `One message for at most ${MAX_MESSAGES} channels.` });

/** Those of both forms, since it is by them that the forms are told apart. */
const MEMBERS = [...Object.keys(batchSchema.shape), ...Object.keys(toManySchema.shape)];

/** The batch without its messages, which are checked one by one, so that the error is about the first that is wrong. */
const frameSchema = z.strictObject({ messages: z.array(z.unknown()).max(MAX_MESSAGES) });

const resultsSchema = z.object({ results: z.array(z.union([part.published, part.problem])) }).meta({
  id: "BatchResults",
  description: "For each message, in order, where it stands, or what happened.",
});

/** The messages to append, and how the request names its parts. */
interface Batch {
  readonly prepared: readonly Prepared[];
  readonly naming: (error: unknown, index: number) => unknown;
}

export function batchRoutes({ hub, allow, log }: HttpContext): Route[] {
  return [
    {
      method: "POST",
      path: "/messages",
      id: "publishMany",
      summary: "Publish many messages, or one to many channels",
      details:
        "With `messages`, each has its channel; with `channels`, all get the same message. The batch is checked whole before anything is appended; the error names the first part that is wrong by its index. Then messages are appended in order, each by itself: one that the place where channels are kept refuses does not stop the others.",
      tag: "messages",
      needs: "publish",
      body: z.union([batchSchema, toManySchema]),
      answers: { 200: { description: "The result of each message.", schema: resultsSchema } },
      errors: [
        "invalid_channel",
        "invalid_json",
        "invalid_value",
        "invalid_data",
        "invalid_request",
        "too_large",
        "unsupported_media_type",
      ],
      async handle(c) {
        const body = await readJson(c, MAX_BYTES);
        if (isJsonObject(body)) checkMembers("body", body, MEMBERS);
        const { prepared, naming } = await (isJsonObject(body) && "channels" in body
          ? toMany(c, body)
          : batch(c, body));
        const appended = await hub.publishing.appendAll(prepared, naming, c.get("requestCaller"));
        const results = appended.map(resultJson);
        return c.env.answerJson(c, `{"results":[${results.join()}]}`, 200);
      },
    },
  ];

  /** Others come between its messages: all of it takes some tens of milliseconds. */
  async function batch(c: Context<HttpEnv>, body: unknown): Promise<Batch> {
    const { messages } = check(frameSchema, body, "body");
    const publisher = publisherIn(c);
    const naming = namingParts("messages");
    const prepared: Prepared[] = [];
    await hub.slices.each(messages, (message, index) => {
      const { event, data, id, ...item } = check(itemSchema, message, `body.messages[${index}]`);
      try {
        const channel = parseChannelName(item.channel);
        allow(c, "publish", channel);
        prepared.push(hub.publishing.prepare(channel, { event, data, id, ...publisher }));
      } catch (error) {
        throw naming(error, index);
      }
    });
    c.get("requestCaller").check();
    return { prepared, naming };
  }

  async function toMany(c: Context<HttpEnv>, body: JsonObject): Promise<Batch> {
    if ("messages" in body) {
      throw new FanfareError("invalid_request", "body has both messages and channels", {
        remedy: "Give messages, each with its channel, or channels that all get the same message.",
      });
    }
    const { channels: names, event, data, id } = check(toManySchema, body, "body");
    const naming = namingParts("channels");
    const channels: ChannelName[] = [];
    await hub.slices.each(names, (name, index) => {
      try {
        const channel = parseChannelName(name);
        allow(c, "publish", channel);
        channels.push(channel);
      } catch (error) {
        throw naming(error, index);
      }
    });
    c.get("requestCaller").check();
    const publisher = publisherIn(c);
    return { prepared: hub.publishing.prepareForAll(channels, { event, data, id, ...publisher }), naming };
  }

  /** The result of one message, as JSON. */
  function resultJson(result: BatchResult): string {
    if ("position" in result) return positionJson(result.channel, result.position);
    const { error } = result;
    if (error instanceof FanfareError) return JSON.stringify(problemOf(error));
    log.error({ err: error }, "a message of a batch could not be appended");
    return JSON.stringify(problemOf(new FanfareError("internal", "the server failed")));
  }
}

/** Put together by hand: neither channel names nor epochs need escapes. */
function positionJson(channel: ChannelName, { epoch, offset }: Position): string {
  return `{"channel":"${channel}","epoch":"${epoch}","offset":${offset}}`;
}

/** Names a part of the request in an error about it. */
function namingParts(parts: "messages" | "channels"): Batch["naming"] {
  return (error, index) => {
    if (!(error instanceof FanfareError)) return error;
    const { code, message, remedy, retryAfterSeconds } = error;
    return new FanfareError(code, `${parts}[${index}]: ${message}`, {
      remedy,
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
  };
}
