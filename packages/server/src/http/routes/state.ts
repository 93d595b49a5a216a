/** `{path}/channels/{channel}/state`: the state of a channel, whole or patched, with ETags against changing what is not known. */
import { type ChannelName, FanfareError, parseChannelName } from "@fanfare/protocol";
import type { Context } from "hono";
import { z } from "zod";
import type { StateInput } from "../../hub/terms/draft.js";
import { BODY_OVERHEAD, BYTES_PER_ESCAPE, readJson } from "../exchange/body.js";
import type { HttpContext, HttpEnv } from "../exchange/context.js";
import { etag, unlessKnown, versionWanted } from "../exchange/etag.js";
import { PUBLISHER_HEADER, publisherIn } from "../exchange/publisher.js";
import type { Description, Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

const MERGE_PATCH_TYPE = "application/merge-patch+json";

const addressSchema = z.object({ channel: part.channelName });

const conditionsSchema = z.object({
  "If-Match": z
    .string()
    .optional()
    .meta({
      description: "The ETag of the state that is to be changed; `*` for any that there is.",
      pattern: '^(?:\\*|(?:W/)?"[0-9a-f]{16}:(?:0|[1-9][0-9]{0,15})")$',
      examples: ['"6f0d2b7c91a4e835:17"'],
    }),
  "If-None-Match": z
    .string()
    .optional()
    .meta({ description: "`*`: only where there is no state.", enum: ["*"] }),
  "Idempotency-Key": part.id.optional(),
  [PUBLISHER_HEADER]: part.publisher.optional(),
});

const knownSchema = z.object({
  "If-None-Match": z.string().optional().meta({
    description: "The ETag of a state that the caller has: where it is still the same, the answer is 304.",
  }),
});

const stateSchema = z
  .record(z.string(), part.data)
  .meta({ id: "State", description: "A JSON object; no member is null.", examples: [{ done: 3, of: 10 }] });

const patchSchema = z.record(z.string(), part.data).meta({
  id: "MergePatch",
  description: "A JSON Merge Patch (RFC 7396): the members to change; null removes one.",
  examples: [{ done: 4, note: null }],
});

/** Shared by the three routes that change a state. */
const CHANGE = {
  tag: "state",
  needs: "patch",
  parameters: [
    { in: "path", schema: addressSchema },
    { in: "header", schema: conditionsSchema },
  ],
  answers: {
    200: {
      description: "Where the change stands. The ETag is that of the state after it.",
      schema: part.published,
    },
  },
  errors: [
    "invalid_channel",
    "invalid_position",
    "invalid_request",
    "version_mismatch",
    "id_reused",
    "share_used_up",
    "too_many_channels",
    "insufficient_storage",
    "unavailable",
  ],
} as const satisfies Partial<Description>;

const BODY_ERRORS = [
  "invalid_json",
  "invalid_value",
  "invalid_data",
  "too_large",
  "unsupported_media_type",
] as const;

export function stateRoutes({ hub, allow, hasRead }: HttpContext): Route[] {
  const maxBodyBytes = BYTES_PER_ESCAPE * hub.limits.stateBytes + BODY_OVERHEAD;
  const path = "/channels/:channel/state";

  async function change(c: Context<HttpEnv>, inputOf: () => Promise<StateInput>): Promise<Response> {
    const channel = parseChannelName(c.req.param("channel") ?? "");
    allow(c, "patch", channel);
    const ifVersion = versionWanted(c);
    const id = c.env.header("idempotency-key");
    const input = await inputOf();
    const appending = hub.changeState(channel, { ...input, ifVersion, id, ...publisherIn(c) });
    const { repeated, epoch, offset } = await appending;
    // After a repeated key, the state may be another by now.
    if (!repeated && input.value !== null) c.env.setHeader(c, "ETag", etag({ epoch, offset }));
    return c.env.answerJson(c, JSON.stringify({ channel, epoch, offset }), 200);
  }

  return [
    {
      method: "GET",
      path,
      id: "state",
      summary: "Read the state",
      tag: "state",
      needs: "history",
      parameters: [
        { in: "path", schema: addressSchema },
        { in: "header", schema: knownSchema },
      ],
      answers: {
        200: { description: "The state; its version is in the ETag.", schema: stateSchema },
        304: { description: "The state has the version that the caller knows." },
      },
      errors: ["invalid_channel", "not_found", "unavailable"],
      async handle(c) {
        const channel = parseChannelName(c.req.param("channel") ?? "");
        allow(c, "history", channel);
        const state = await hub.state(channel);
        c.get("requestCaller").check();
        if (!state?.json) throw noState(channel);
        c.env.setHeader(c, "Cache-Control", "no-store");
        const known = unlessKnown(c, etag(state));
        if (known) return known;
        hasRead(c, { bytes: state.json.length });
        return c.env.answerJson(c, state.json, 200);
      },
    },
    {
      ...CHANGE,
      method: "PATCH",
      path,
      id: "patchState",
      summary: "Change some members of the state",
      details: "The state comes into being with its first patch. Every subscription gets the patch.",
      body: patchSchema,
      bodyTypes: [MERGE_PATCH_TYPE, "application/json"],
      errors: [...CHANGE.errors, ...BODY_ERRORS],
      handle: (c) => change(c, async () => ({ patch: await readJson(c, maxBodyBytes) })),
    },
    {
      ...CHANGE,
      method: "PUT",
      path,
      id: "putState",
      summary: "Set the whole state",
      body: stateSchema,
      errors: [...CHANGE.errors, ...BODY_ERRORS],
      handle: (c) => change(c, async () => ({ value: notNull(await readJson(c, maxBodyBytes)) })),
    },
    {
      ...CHANGE,
      method: "DELETE",
      path,
      id: "deleteState",
      summary: "Remove the state",
      details: "Every subscription is told that there is none any more.",
      handle: (c) => change(c, async () => ({ value: null })),
    },
  ];
}

function noState(channel: ChannelName): FanfareError {
  return new FanfareError("not_found", `${channel} has no state`, {
    remedy: "Set one with PUT or PATCH.",
  });
}

/** Inside, null stands for removing the state; that has a method of its own. */
function notNull(value: unknown): unknown {
  if (value !== null) return value;
  throw new FanfareError("invalid_value", "the state is null, not an object", {
    remedy: "Give an object, or remove the state with DELETE.",
  });
}
