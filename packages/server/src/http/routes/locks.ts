/** `{path}/locks/{name}`: leases for callers without a connection, who renew them with their fencing token. */
import { FanfareError, type LockHolder, parseChannelName } from "@fanfare/protocol";
import type { Context } from "hono";
import { z } from "zod";
import { holderOf } from "../../access/grants/principal.js";
import { check } from "../../base/check.js";
import type { Permit } from "../../hub/terms/permit.js";
import { DEFAULT_LEASE_SECONDS, MAX_LEASE_SECONDS, MIN_LEASE_SECONDS } from "../../locks/lock-record.js";
import { BODY_OVERHEAD, readOptionalJson } from "../exchange/body.js";
import type { HttpContext, HttpEnv } from "../exchange/context.js";
import { readQuery } from "../exchange/query.js";
import type { Description, Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

/** Room for `info`, however it is spelt. */
const MAX_BODY_BYTES = 2 * BODY_OVERHEAD;

const addressSchema = z.object({ name: part.name });

const token = z
  .int()
  .min(0)
  .meta({ description: "The fencing token: each holder has a greater one than those before." });

const takeSchema = z
  .strictObject({
    leaseSeconds: z
      .int()
      .min(MIN_LEASE_SECONDS)
      .max(MAX_LEASE_SECONDS)
      .optional()
      .meta({
        description: `For how long, in whole seconds, unless it is renewed. That of the last time, else ${DEFAULT_LEASE_SECONDS}.`,
      }),
    token: token.optional().meta({
      description: "Renews only, and only while the lock is held with this token by the same caller.",
    }),
    info: part.data.optional().meta({ description: "Watchers see it: any JSON value of at most 1 KiB." }),
  })
  .meta({ id: "Take", examples: [{ leaseSeconds: 60, info: { form: "invoice" } }] });

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
      .meta({ description: "The holder: a user, an API key, a session of a client." }),
    since: part.milliseconds.optional(),
    expires: part.milliseconds.optional(),
    leaseSeconds: part.count.optional(),
    info: part.data.optional(),
    freed: part.milliseconds.optional().meta({ description: "The time since which it is free." }),
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

export function lockRoutes({ locks, allow }: HttpContext): Route[] {
  return [
    {
      ...SHARED,
      method: "PUT",
      id: "lock",
      summary: "Take a lock, or renew it",
      details:
        "Where somebody else holds it the answer is `locked`, with `lock`: its holder, and the end of the lease. A caller that renews with a `token` that is not in force any more gets `lock_lost`.",
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
        "share_used_up",
        "too_many_channels",
        "insufficient_storage",
        "unavailable",
      ],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "lock", name);
        const input = check(takeSchema, await readOptionalJson(c, MAX_BODY_BYTES), "body");
        const { owner } = c.get("requestCaller").party ?? {};
        const held = await locks.take(name, { ...input, ...holding(c), owner });
        return c.env.answerJson(c, JSON.stringify({ name, ...held }), 200);
      },
    },
    {
      ...SHARED,
      method: "DELETE",
      id: "unlock",
      summary: "Let go of a lock",
      parameters: [...SHARED.parameters, { in: "query", schema: releaseSchema }],
      answers: { 204: { description: "The lock is free." } },
      errors: ["invalid_channel", "invalid_request", "lock_lost", "insufficient_storage", "unavailable"],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "lock", name);
        const held = readQuery(c, releaseSchema);
        await locks.release(name, { ...held, ...holding(c) });
        return c.body(null, 204);
      },
    },
    {
      ...SHARED,
      path: "/locks/:name/holder",
      method: "DELETE",
      id: "breakLock",
      summary: "Free a lock of another holder",
      details:
        "For administrators. The holder learns of it when it renews the lock. The next one gets a greater token, since the record of a free lock stays for a day.",
      needs: "admin",
      answers: { 204: { description: "The lock is free." } },
      errors: ["invalid_channel", "not_found", "insufficient_storage", "unavailable"],
      async handle(c) {
        allow(c, "admin", null);
        const name = parseChannelName(c.req.param("name") ?? "");
        if (await locks.break(name, c.get("requestCaller"))) return c.body(null, 204);
        throw new FanfareError("not_found", `the lock ${name} is free`);
      },
    },
    {
      ...SHARED,
      method: "GET",
      id: "lookAtLock",
      summary: "See who holds a lock",
      needs: "subscribe",
      answers: { 200: { description: "The holder of a lock.", schema: lockSchema } },
      errors: ["invalid_channel", "unavailable"],
      async handle(c) {
        const name = parseChannelName(c.req.param("name") ?? "");
        allow(c, "subscribe", name);
        const { record, time } = await locks.look(name);
        c.get("requestCaller").check();
        const held = record?.holder !== undefined;
        const answer = { name, held, ...record, time };
        return c.json(answer, 200, { "Cache-Control": "no-store" });
      },
    },
  ];
}

/** The caller that asks for a lock, and the check that they still may. */
function holding(c: Context<HttpEnv>): { readonly holder: LockHolder; readonly permit: Permit } {
  const requestCaller = c.get("requestCaller");
  return { holder: holderOf(requestCaller.principal), permit: requestCaller };
}
