/** `{path}/messages`: publish many messages at once, to whatever channels. Either all of them are valid, or none is appended. */
import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { z } from "zod";
import { publisherOf } from "../access/principal.js";
import type { Appended } from "../engine/engine.js";
import type { Prepared } from "../hub/hub.js";
import { problemOf } from "../problem.js";
import { answerJson } from "./answer.js";
import { readJson } from "./body.js";
import { check } from "./check.js";
import type { HttpContext } from "./context.js";
import type { Route } from "./route.js";
import * as part from "./schemas.js";

const MAX_MESSAGES = 1000;
const MAX_BYTES = 1024 * 1024;

const itemSchema = z.object({
  channel: part.channelName,
  event: part.event.optional(),
  data: part.data,
  key: part.key.optional(),
});

const batchSchema = z
  .object({ messages: z.array(itemSchema).max(MAX_MESSAGES) })
  .meta({ id: "Batch", description: `At most ${MAX_MESSAGES} messages, and 1 MiB as a whole.` });

/** The same without its messages, which are checked one by one, so that the error is about the first that is wrong. */
const frameSchema = z.object({ messages: z.array(z.unknown()).max(MAX_MESSAGES) });

const resultsSchema = z.object({ results: z.array(z.union([part.published, part.problem])) }).meta({
  id: "BatchResults",
  description: "For each message, in order, where it stands, or what happened.",
});

export function batchRoutes({ hub, allow, log }: HttpContext): Route[] {
  return [
    {
      method: "POST",
      path: "/messages",
      id: "publishMany",
      summary: "Publish many messages",
      details:
        "The batch is checked whole before anything is appended; the error names the first message that is wrong by its index. Then messages are appended in order. One that the place where channels are kept refuses does not stop the others.",
      tag: "messages",
      needs: "publish",
      body: batchSchema,
      answers: { 200: { description: "What became of each message.", schema: resultsSchema } },
      errors: [
        "invalid_channel",
        "invalid_json",
        "invalid_value",
        "invalid_request",
        "too_large",
        "unsupported_media_type",
      ],
      async handle(c) {
        const { messages } = check(frameSchema, await readJson(c, MAX_BYTES), "body");
        const publisher = publisherOf(c.get("principal"));
        const prepared = messages.map((message, index) => {
          const { event, data, key, ...item } = check(itemSchema, message, `body.messages[${index}]`);
          return naming(index, () => {
            const channel = parseChannelName(item.channel);
            allow(c, "publish", channel);
            return hub.prepare(channel, { event, data, key, ...publisher });
          });
        });
        // None is waited for before the next is appended; the engine keeps the order of calls.
        const results = await Promise.all(prepared.map(append));
        return answerJson(c, `{"results":[${results.join()}]}`, 200);
      },
    },
  ];

  /** Appends a message, and answers with its result as JSON. */
  function append(prepared: Prepared): Promise<string> {
    return hub.append(prepared).then(
      (appended) => positionJson(prepared, appended),
      (error: unknown) => {
        if (error instanceof FanfareError) return JSON.stringify(problemOf(error));
        log.error({ err: error }, "a message of a batch could not be appended");
        return JSON.stringify(problemOf(new FanfareError("internal", "the server failed")));
      },
    );
  }
}

/** Put together by hand: neither channel names nor epochs need escapes. */
function positionJson({ channel }: Prepared, { epoch, offset }: Appended): string {
  return `{"channel":"${channel}","epoch":"${epoch}","offset":${offset}}`;
}

/** Names the message in an error about it. */
function naming<T>(index: number, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof FanfareError)) throw error;
    const { code, message, remedy, retryAfter } = error;
    throw new FanfareError(code, `messages[${index}]: ${message}`, {
      remedy,
      ...(retryAfter !== undefined && { retryAfter }),
    });
  }
}
