/** `{path}/channels/{channel}/state`: the state of a channel, whole or patched, with ETags against changing what is not known. */
import {
  type ChannelName,
  FanfareError,
  formatPosition,
  type Position,
  parseChannelName,
  parsePosition,
  quote,
} from "@fanfare/protocol";
import type { Context } from "hono";
import { z } from "zod";
import { publisherOf } from "../access/principal.js";
import type { StateInput } from "../hub/draft.js";
import { answerJson, setHeader } from "./answer.js";
import { BODY_OVERHEAD, BYTES_PER_ESCAPE, readJson } from "./body.js";
import type { HttpContext, HttpEnv } from "./context.js";
import { headerOf } from "./header.js";
import type { Description, Route } from "./route.js";
import * as part from "./schemas.js";

const MERGE_PATCH_TYPE = "application/merge-patch+json";

const addressSchema = z.object({ channel: part.channelName });

const conditionsSchema = z.object({
  "If-Match": z
    .string()
    .optional()
    .meta({
      description: "The ETag of the state that is to be changed; `*` for any that there is.",
      examples: ['"6f0d2b7c91a4e835:17"'],
    }),
  "If-None-Match": z.string().optional().meta({ description: "`*`: only where there is no state." }),
  "Idempotency-Key": part.key.optional(),
});

const stateSchema = z
  .record(z.string(), part.data)
  .meta({ id: "State", description: "A JSON object; no member is null.", examples: [{ done: 3, of: 10 }] });

const patchSchema = z.record(z.string(), part.data).meta({
  id: "MergePatch",
  description: "A JSON Merge Patch (RFC 7396): the members to change; null removes one.",
  examples: [{ done: 4, note: null }],
});

/** What all three ways to change it share. */
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
    "key_reused",
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

export function stateRoutes({ hub, allow }: HttpContext): Route[] {
  const maxBodyBytes = BYTES_PER_ESCAPE * hub.limits.stateBytes + BODY_OVERHEAD;
  const path = "/channels/:channel/state";

  async function change(c: Context<HttpEnv>, inputOf: () => Promise<StateInput>): Promise<Response> {
    const channel = parseChannelName(c.req.param("channel") ?? "");
    allow(c, "patch", channel);
    const ifVersion = versionOf(headerOf(c, "if-match"), headerOf(c, "if-none-match"));
    const key = headerOf(c, "idempotency-key");
    const input = await inputOf();
    const { repeated, ...position } = await hub.changeState(channel, {
      ...input,
      ifVersion,
      key,
      principal: publisherOf(c.get("principal")).principal,
    });
    // What a repeated key made of the state may be another by now.
    if (!repeated && input.value !== null) setHeader(c, "ETag", etag(position));
    return answerJson(c, JSON.stringify({ channel, ...position }), 200);
  }

  return [
    {
      method: "GET",
      path,
      id: "state",
      summary: "Read the state",
      tag: "state",
      needs: "history",
      parameters: [{ in: "path", schema: addressSchema }],
      answers: { 200: { description: "The state; its version is in the ETag.", schema: stateSchema } },
      errors: ["invalid_channel", "not_found", "unavailable"],
      async handle(c) {
        const channel = parseChannelName(c.req.param("channel") ?? "");
        allow(c, "history", channel);
        const state = await hub.state(channel);
        if (!state?.json) throw noState(channel);
        setHeader(c, "ETag", etag(state));
        setHeader(c, "Cache-Control", "no-store");
        return answerJson(c, state.json, 200);
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

/** Quoted, as RFC 9110 wants it. */
export function etag(position: Position): string {
  return `"${formatPosition(position)}"`;
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

/** @throws FanfareError `invalid_request`, `invalid_position` */
function versionOf(ifMatch: string | undefined, ifNoneMatch: string | undefined): StateInput["ifVersion"] {
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === "*" && ifMatch === undefined) return null;
    throw new FanfareError("invalid_request", `If-None-Match is ${quote(ifNoneMatch)}`, {
      remedy: "Give * where there is to be no state yet, without If-Match; otherwise leave it out.",
    });
  }
  if (ifMatch === undefined) return undefined;
  const text = ifMatch.trim();
  if (text === "*") return "any";
  const [, position] = /^"([^"]*)"$/.exec(text) ?? [];
  if (position !== undefined) return parsePosition(position);
  throw new FanfareError("invalid_request", `If-Match is ${quote(ifMatch)}`, {
    remedy: 'Give one ETag as it came, with its quotes, such as "6f0d2b7c91a4e835:17"; or *.',
  });
}
