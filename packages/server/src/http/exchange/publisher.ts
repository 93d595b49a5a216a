/**
 * The publisher of a request, whose idempotency keys it means: the user, the key, the secret that an anonymous client names, or else its
 * address.
 */
import type { Context } from "hono";
import { anonymousPublisher, type Publisher, publisherOf } from "../../access/grants/principal.js";
import type { Permit } from "../../hub/terms/permit.js";
import type { HttpEnv } from "./context.js";

/** The header in which anonymous clients name themselves. */
export const PUBLISHER_HEADER = "Fanfare-Publisher";

/** @throws FanfareError `invalid_request` when the secret has the wrong form */
export function publisherIn(c: Context<HttpEnv>): Publisher & { readonly permit: Permit } {
  const permit = c.get("requestCaller");
  const { principal, party } = permit;
  const secret = principal.kind === "nobody" ? c.env.header("fanfare-publisher") : undefined;
  const named = secret === undefined ? undefined : anonymousPublisher(secret);
  const { user, principal: scope, owner } = publisherOf(principal, named ?? party?.owner, party?.owner);
  // Not spread: each message that is published comes by here.
  return { user, principal: scope, owner, permit };
}
