/** `{path}/sequences/{name}`: numbers that nobody else has. */
import { parseChannelName } from "@fanfare/protocol";
import { z } from "zod";
import { publisherOf } from "../access/principal.js";
import { MAX_COUNT } from "../hub/sequences.js";
import { answerJson } from "./answer.js";
import { BODY_OVERHEAD, readOptionalJson } from "./body.js";
import { check } from "./check.js";
import type { HttpContext } from "./context.js";
import { headerOf } from "./header.js";
import type { Route } from "./route.js";
import * as part from "./schemas.js";

const addressSchema = z.object({ name: part.name });

const keySchema = z.object({
  "Idempotency-Key": part.key.optional().meta({
    description: "For 5 minutes the same call with the same key is given the same numbers.",
  }),
});

const number = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const nextSchema = z
  .strictObject({
    count: z
      .int()
      .min(1)
      .max(MAX_COUNT)
      .optional()
      .meta({ description: "How many numbers; 1 unless given." }),
    start: number
      .optional()
      .meta({ description: "The first number of a sequence that has given none yet; 1 unless given." }),
  })
  .meta({ id: "Next", examples: [{ count: 10 }] });

const numbersSchema = z
  .object({ name: part.name, first: number, last: number, durable: part.durable })
  .meta({ id: "Numbers", description: "`first` to `last`, both included, belong to the caller alone." });

const sequenceSchema = z
  .object({
    name: part.name,
    last: number.nullable().meta({ description: "The number that was given last; null when none was." }),
  })
  .meta({ id: "Sequence" });

export function sequenceRoutes({ hub, allow }: HttpContext): Route[] {
  return [
    {
      method: "POST",
      path: "/sequences/:name/next",
      id: "next",
      summary: "Take the next number, or several",
      details: "A number that was given is never given again, on a durable engine not even after a crash.",
      tag: "sequences",
      needs: "sequence",
      parameters: [
        { in: "path", schema: addressSchema },
        { in: "header", schema: keySchema },
      ],
      body: nextSchema,
      bodyMayBeMissing: true,
      answers: { 200: { description: "The numbers.", schema: numbersSchema } },
      errors: [
        "invalid_channel",
        "invalid_json",
        "invalid_request",
        "too_large",
        "unsupported_media_type",
        "sequence_exhausted",
        "key_reused",
        "too_many_channels",
        "insufficient_storage",
        "unavailable",
      ],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "sequence", name);
        const { count, start } = check(nextSchema, await readOptionalJson(c, BODY_OVERHEAD), "body");
        const key = headerOf(c, "idempotency-key");
        const { principal } = publisherOf(c.get("principal"));
        const numbers = await hub.sequences.next(name, { count, start, key, principal });
        return answerJson(c, JSON.stringify({ name, ...numbers }), 200);
      },
    },
    {
      method: "GET",
      path: "/sequences/:name",
      id: "sequence",
      summary: "Read the last number",
      tag: "sequences",
      needs: "subscribe",
      parameters: [{ in: "path", schema: addressSchema }],
      answers: { 200: { description: "The last number.", schema: sequenceSchema } },
      errors: ["invalid_channel", "unavailable"],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "subscribe", name);
        const last = await hub.sequences.last(name);
        return c.json({ name, last }, 200, { "Cache-Control": "no-store" });
      },
    },
  ];
}
