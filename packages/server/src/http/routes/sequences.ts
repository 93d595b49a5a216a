/** `{path}/sequences/{name}`: unique numbers. */
import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { z } from "zod";
import { check } from "../../base/check.js";
import { MAX_COUNT } from "../../locks/sequences.js";
import { BODY_OVERHEAD, readOptionalJson } from "../exchange/body.js";
import type { HttpContext } from "../exchange/context.js";
import { PUBLISHER_HEADER, publisherIn } from "../exchange/publisher.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

const addressSchema = z.object({ name: part.name });

const keySchema = z.object({
  "Idempotency-Key": part.id.optional().meta({
    description: "For 5 minutes the same call with the same key is given the same numbers.",
  }),
  [PUBLISHER_HEADER]: part.publisher.optional(),
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

export function sequenceRoutes({ sequences, allow }: HttpContext): Route[] {
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
        "id_reused",
        "share_used_up",
        "too_many_channels",
        "insufficient_storage",
        "unavailable",
      ],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "sequence", name);
        const { count, start } = check(nextSchema, await readOptionalJson(c, BODY_OVERHEAD), "body");
        const id = c.env.header("idempotency-key");
        const numbers = await sequences.next(name, { count, start, id, ...publisherIn(c) });
        return c.env.answerJson(c, JSON.stringify({ name, ...numbers }), 200);
      },
    },
    {
      method: "DELETE",
      path: "/sequences/:name",
      id: "removeSequence",
      summary: "Remove a sequence",
      details:
        "The next number is the first one again, so the server gives numbers twice. For sequences that are not needed any more.",
      tag: "sequences",
      needs: "admin",
      parameters: [{ in: "path", schema: addressSchema }],
      answers: { 204: { description: "The sequence begins anew." } },
      errors: ["invalid_channel", "not_found", "insufficient_storage", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const name = parseChannelName(c.req.param("name") ?? "");
        if (await sequences.remove(name, c.get("requestCaller"))) return c.body(null, 204);
        throw new FanfareError("not_found", `${name} has given no number`);
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
        const last = await sequences.last(name);
        c.get("requestCaller").check();
        return c.json({ name, last }, 200, { "Cache-Control": "no-store" });
      },
    },
  ];
}
