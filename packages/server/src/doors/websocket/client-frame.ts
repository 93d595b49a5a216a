/** Reads what a client sent: the one place where its text becomes a typed frame. */
import { type ClientFrame, isEpoch, quote } from "@fanfare/protocol";
import { z } from "zod";
import { PUBLISHER } from "../../access/grants/principal.js";

/** Channels in one batch. */
const MAX_BATCH = 1000;

const offset = z.int().nonnegative();
const epoch = z.string().refine(isEpoch, "16 characters of 0-9 a-f are wanted");
const position = z.object({ epoch, offset });
const request = z.int().nonnegative();
const item = z.object({
  channel: z.string(),
  since: position.optional(),
  state: z.boolean().optional(),
});

const schemas = {
  connect: z.object({
    type: z.literal("connect"),
    token: z.string().optional(),
    csrf: z.string().optional(),
    session: z.string().max(200).optional(),
    publisher: z.string().regex(PUBLISHER, "16 to 64 printable ASCII characters are wanted").optional(),
    since: z
      .array(z.object({ channel: z.string(), epoch, offset }))
      .max(MAX_BATCH)
      .optional(),
  }),
  subscribe: item.extend({ type: z.literal("subscribe"), request }),
  subscribeBatch: z.object({
    type: z.literal("subscribe"),
    request,
    channels: z.array(item).min(1).max(MAX_BATCH),
  }),
  unsubscribe: z.object({ type: z.literal("unsubscribe"), request, channel: z.string() }),
  unsubscribeBatch: z.object({
    type: z.literal("unsubscribe"),
    request,
    channels: z.array(z.string()).min(1).max(MAX_BATCH),
  }),
  publish: z.object({
    type: z.literal("publish"),
    request,
    channel: z.string(),
    event: z.string().optional(),
    data: z.unknown(),
    id: z.string().optional(),
  }),
  token: z.object({ type: z.literal("token"), token: z.string() }),
  patch: z.object({
    type: z.literal("patch"),
    request,
    channel: z.string(),
    patch: z.unknown(),
    ifVersion: position.nullable().optional(),
    id: z.string().optional(),
  }),
  lock: z.object({
    type: z.literal("lock"),
    request,
    name: z.string(),
    leaseSeconds: z.number().optional(),
    info: z.unknown().optional(),
    token: z.number().optional(),
  }),
  unlock: z.object({ type: z.literal("unlock"), request, name: z.string(), token: z.number() }),
  next: z.object({
    type: z.literal("next"),
    request,
    name: z.string(),
    count: z.number().optional(),
    id: z.string().optional(),
  }),
  ping: z.object({ type: z.literal("ping") }),
} as const;

/** The frame is not part of the protocol; the message is a sentence for the close reason. */
export class MalformedFrameError extends Error {
  override readonly name = "MalformedFrameError";
}

/** @throws MalformedFrameError */
export function parseClientFrame(text: string): ClientFrame {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedFrameError("a frame must be a JSON object");
  }
  const type = "type" in value ? value.type : undefined;
  const schema = schemaOf(type, value);
  if (!schema) {
    throw new MalformedFrameError(
      typeof type === "string" ? `unknown frame type ${quote(type, 40)}` : 'a frame needs a "type"',
    );
  }
  const result = schema.safeParse(value);
  // The schemas spell out optional members as possibly undefined, which JSON cannot produce.
  if (result.success) return result.data as ClientFrame;
  const [issue] = result.error.issues;
  const where = issue?.path.join(".") ?? "";
  throw new MalformedFrameError(`${String(type)} frame: ${where}: ${issue?.message ?? "wrong form"}`);
}

function schemaOf(type: unknown, value: object) {
  switch (type) {
    case "subscribe":
      return "channels" in value ? schemas.subscribeBatch : schemas.subscribe;
    case "unsubscribe":
      return "channels" in value ? schemas.unsubscribeBatch : schemas.unsubscribe;
    case "connect":
    case "publish":
    case "token":
    case "patch":
    case "lock":
    case "unlock":
    case "next":
    case "ping":
      return schemas[type];
    default:
      return null;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedFrameError(`a frame must be JSON, not ${quote(text, 40)}`);
  }
}
