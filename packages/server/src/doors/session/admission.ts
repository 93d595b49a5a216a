/**
 * Lets clients in: finds out who they are, and whether their user may open one more connection. The address, the page and the number of
 * all connections have been looked at before, by `Clients.admit`.
 */
import type { Caller } from "../../access/grants/addresses.js";
import type { Credentials } from "../../access/grants/credentials.js";
import { anonymousPublisher, ownerOf, type Principal } from "../../access/grants/principal.js";
import type { Party } from "../../access/rates/rates.js";
import type { ResumedSession } from "../../hub/sessions.js";
import type { DoorHost } from "../door.js";

/** The client's own words about itself. */
export interface Introduction extends Credentials {
  /** The secret by which an anonymous client is known on all doors. */
  readonly publisher?: string | undefined;
  /** The secret of the session that it wants to go on with. */
  readonly session?: string | undefined;
}

/** A client that may come in, as far as is known: `ClientSession.begin` looks again. */
export interface Admitted {
  readonly principal: Principal;
  /** Kept to ask again who it is. */
  readonly credentials: Credentials;
  /** Whose rates count, beside those of the connection; `null` for a client without limits. */
  readonly party: Party | null;
  /** Whose idempotency keys are meant while the client is anonymous, where it has said so. */
  readonly anonymous: string | null;
  /** The session that it goes on with. */
  readonly resumed: ResumedSession | null;
}

/** One for all, since most connections have none. */
const NO_CREDENTIALS: Credentials = {};

/**
 * Finds out who a client is; at once where there is no question to ask. Refused credentials count for the address of the caller.
 *
 * @throws FanfareError `not_logged_in`, `rate_limited`, `unavailable`, `invalid_request`
 */
export function authenticate(
  host: DoorHost,
  caller: Caller,
  introduction: Introduction,
): Admitted | Promise<Admitted> {
  const { token, csrf, request, session } = introduction;
  const from = host.entrance.rates.addressOf(caller.line);
  const principal = host.access.authenticate({ token, csrf, from, ...(request && { request }) });
  if (session === undefined && !(principal instanceof Promise)) {
    return admit(host, caller, principal, introduction);
  }
  return whenKnown(host, caller, principal, introduction);
}

/** Lets a client in that is known already. @throws FanfareError `rate_limited`, `invalid_request` */
export function admit(
  { access, entrance: { rates } }: DoorHost,
  caller: Caller,
  principal: Principal,
  { token, csrf, request, publisher }: Introduction,
): Admitted {
  const party = rates.partyOf(caller, principal);
  const tooMany = party && rates.take("connects", { address: null, user: party.user });
  if (tooMany) throw tooMany;
  const anonymous = publisher === undefined ? null : anonymousPublisher(publisher);
  // Nothing is kept where there will be no further question.
  const credentials = request && access.asking.possible ? { token, csrf, request } : NO_CREDENTIALS;
  return { principal, credentials, party, anonymous, resumed: null };
}

async function whenKnown(
  host: DoorHost,
  caller: Caller,
  asking: Principal | Promise<Principal>,
  introduction: Introduction,
): Promise<Admitted> {
  const admitted = admit(host, caller, await asking, introduction);
  const { session } = introduction;
  if (session === undefined) return admitted;
  const { sessions, log } = host;
  // A session that cannot be had is none: the client is told, and begins anew.
  const resumed = await sessions.resume(session, ownerOf(admitted.principal)).catch((error: unknown) => {
    log.warn({ err: error }, "a session could not be looked up");
    return null;
  });
  return { ...admitted, resumed };
}
