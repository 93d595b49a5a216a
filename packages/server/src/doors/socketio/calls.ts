/** The calls of clients, and their forms: channels by the server's own words, services by those of Feathers. */
import { FanfareError, type Position, parsePosition, quote } from "@fanfare/protocol";
import { z } from "zod";
import { check } from "../../base/check.js";
import { isServiceMethod, type ServiceMethod } from "../../feathers/services.js";

const since = z
  .union([z.string(), z.strictObject({ epoch: z.string(), offset: z.number() })])
  .transform((given) => parsePosition(typeof given === "string" ? given : `${given.epoch}:${given.offset}`));

const subscribe = z.strictObject({
  channel: z.string(),
  since: since.optional(),
  state: z.boolean().optional(),
});

const changing = { channel: z.string(), id: z.string().optional() };

const SCHEMAS = {
  subscribe: z.union([z.string().transform((channel) => ({ channel })), subscribe]),
  unsubscribe: z.union([
    z.string().transform((channel) => ({ channel })),
    z.strictObject({ channel: z.string() }),
  ]),
  publish: z.strictObject({ ...changing, event: z.string().optional(), data: z.unknown() }),
  patch: z.strictObject({ ...changing, patch: z.unknown(), ifVersion: since.nullable().optional() }),
  token: z.string().transform((token) => ({ token })),
};

type Name = keyof typeof SCHEMAS;
/** The arguments of an event, checked. */
type Input<N extends Name> = z.output<(typeof SCHEMAS)[N]>;

/** The request of a client, checked. */
export type Call = { [N in Name]: { readonly kind: N; readonly input: Input<N> } }[Name] | ServiceCall;

/** A call of a client of Feathers. */
export interface ServiceCall {
  readonly kind: "service";
  readonly method: ServiceMethod;
  readonly service: string;
  readonly args: readonly unknown[];
}

/** A channel that is named when connecting. */
export interface Wanted {
  readonly channel: string;
  readonly since?: Position | undefined;
  readonly state?: boolean | undefined;
}

/** @throws FanfareError `invalid_request`, `invalid_position` */
export function parseCall(event: string, args: readonly unknown[]): Call {
  const [first, ...rest] = args;
  if (isServiceMethod(event) && (event !== "patch" || typeof first === "string")) {
    if (typeof first === "string") return { kind: "service", method: event, service: first, args: rest };
    throw new FanfareError("invalid_request", `${event} without the name of a service`);
  }
  switch (event) {
    case "subscribe":
      return { kind: event, input: check(SCHEMAS.subscribe, first, event) };
    case "unsubscribe":
      return { kind: event, input: check(SCHEMAS.unsubscribe, first, event) };
    case "publish":
      return { kind: event, input: check(SCHEMAS.publish, first, event) };
    case "patch":
      return { kind: event, input: check(SCHEMAS.patch, first, event) };
    case "token":
      return { kind: event, input: check(SCHEMAS.token, first, event) };
    default:
      throw new FanfareError("invalid_request", `the event ${quote(event)} is not known`, {
        remedy: `Emit ${Object.keys(SCHEMAS).join(", ")}, or a method of a service: find, get, create, update, patch, remove.`,
      });
  }
}

/** Clients and libraries add members of their own, such as `pid` and `offset` of Socket.IO's recovery. */
const authSchema = z.object({
  token: z.string().optional(),
  csrf: z.string().optional(),
  publisher: z.string().optional(),
  channels: z.array(SCHEMAS.subscribe).max(1000).optional(),
});

/** What a client gives as `auth` when it connects. */
export interface Auth {
  readonly token?: string | undefined;
  readonly csrf?: string | undefined;
  /** The secret by which an anonymous client is known on all doors. */
  readonly publisher?: string | undefined;
  /** The channels that it wants to hear, instead of those that it would hear by itself. */
  readonly channels?: readonly Wanted[] | undefined;
}

/** @throws FanfareError `invalid_request`, `invalid_position` */
export function parseAuth(auth: unknown): Auth {
  return check(authSchema, auth ?? {}, "auth");
}
