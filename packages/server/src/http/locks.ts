/** `{path}/locks/{name}`: leases for callers without a connection, who renew them with their fencing token. */
import { parseChannelName } from "@fanfare/protocol";
import { z } from "zod";
import { holderOf } from "../access/principal.js";
import { DEFAULT_LEASE_MS, MAX_LEASE_MS, MIN_LEASE_MS } from "../hub/lock-record.js";
import { answerJson } from "./answer.js";
import { BODY_OVERHEAD, readOptionalJson } from "./body.js";
import { check } from "./check.js";
import type { HttpContext } from "./context.js";
import { readQuery } from "./query.js";
import type { Description, Route } from "./route.js";
import * as part from "./schemas.js";

/** Room for `info`, however it is spelt. */
const MAX_BODY_BYTES = 2 * BODY_OVERHEAD;

const addressSchema = z.object({ name: part.name });

const token = z
  .int()
  .min(0)
  .meta({ description: "The fencing token: each holder has a greater one than those before." });

const takeSchema = z
  .strictObject({
    leaseMs: z
      .int()
      .min(MIN_LEASE_MS)
      .max(MAX_LEASE_MS)
      .optional()
      .meta({
        description: `For how long, in milliseconds, unless it is renewed. That of the last time, else ${DEFAULT_LEASE_MS}.`,
      }),
    token: token.optional().meta({
      description: "Renews only, and only while the lock is held with this token by the same caller.",
    }),
    info: z
      .unknown()
      .optional()
      .meta({ description: "What watchers are told: any JSON value of at most 1 KiB." }),
  })
  .meta({ id: "Take", examples: [{ leaseMs: 60_000, info: { form: "invoice" } }] });

const heldSchema = z
  .object({
    name: part.name,
    token,
    expires: part.milliseconds.meta({ description: "When the lease ends unless it is renewed." }),
    time: part.milliseconds.meta({ description: "The same clock now." }),
    durable: part.durable,
  })
  .meta({ id: "Held", description: "The caller holds the lock." });

const lockSchema = z
  .object({
    name: part.name,
    held: z.boolean(),
    token: token.optional(),
    holder: z
      .object({ user: z.string().optional(), key: z.string().optional(), session: z.string().optional() })
      .optional()
      .meta({ description: "Who holds it: a user, an API key, a session of a client." }),
    since: part.milliseconds.optional(),
    expires: part.milliseconds.optional(),
    leaseMs: part.count.optional(),
    info: part.data.optional(),
    freed: part.milliseconds.optional().meta({ description: "Since when nobody holds it." }),
    time: part.milliseconds.meta({ description: "The server's clock now." }),
  })
  .meta({ id: "Lock" });

const releaseSchema = z.strictObject({
  token: z
    .string()
    .regex(/^[0-9]{1,16}$/, "give the token as it came with the lock")
    .transform(Number)
    .pipe(token),
});

const SHARED = {
  path: "/locks/:name",
  tag: "locks",
  needs: "lock",
  parameters: [{ in: "path", schema: addressSchema }],
} as const satisfies Partial<Description> & { path: string };

export function lockRoutes({ hub, allow }: HttpContext): Route[] {
  const { clock, locks } = hub;
  return [
    {
      ...SHARED,
      method: "PUT",
      id: "lock",
      summary: "Take a lock, or renew it",
      details:
        "Where somebody else holds it the answer is `locked`, with `lock`: who holds it, and until when. Whoever renews with a `token` that is not in force any more is answered with `lock_lost`.",
      body: takeSchema,
      bodyMayBeMissing: true,
      answers: { 200: { description: "The lock is held.", schema: heldSchema } },
      errors: [
        "invalid_channel",
        "invalid_json",
        "invalid_value",
        "invalid_request",
        "too_large",
        "unsupported_media_type",
        "locked",
        "lock_lost",
        "too_many_channels",
        "insufficient_storage",
        "unavailable",
      ],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "lock", name);
        const input = check(takeSchema, await readOptionalJson(c, MAX_BODY_BYTES), "body");
        const held = await locks.take(name, { ...input, holder: holderOf(c.get("principal")) });
        return answerJson(c, JSON.stringify({ name, ...held }), 200);
      },
    },
    {
      ...SHARED,
      method: "DELETE",
      id: "unlock",
      summary: "Let go of a lock",
      parameters: [...SHARED.parameters, { in: "query", schema: releaseSchema }],
      answers: { 204: { description: "Nobody holds it." } },
      errors: ["invalid_channel", "invalid_request", "lock_lost", "insufficient_storage", "unavailable"],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "lock", name);
        const held = readQuery(c, releaseSchema);
        await locks.release(name, { ...held, holder: holderOf(c.get("principal")) });
        return c.body(null, 204);
      },
    },
    {
      ...SHARED,
      method: "GET",
      id: "lookAtLock",
      summary: "See who holds a lock",
      needs: "subscribe",
      answers: { 200: { description: "Who holds it.", schema: lockSchema } },
      errors: ["invalid_channel", "unavailable"],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "subscribe", name);
        const record = await locks.look(name);
        const held = record?.holder !== undefined;
        const answer = { name, held, ...record, time: clock.now() };
        return c.json(answer, 200, { "Cache-Control": "no-store" });
      },
    },
  ];
}
