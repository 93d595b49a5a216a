/** Who a client is: from its `connect` frame on, until its token has expired or was taken back. Tells it what has changed. */
import {
  CLOSE,
  type CloseCode,
  type ConnectFrame,
  type Expiry,
  FanfareError,
  quote,
} from "@fanfare/protocol";
import type { Caller } from "../../access/addresses.js";
import { type AccessRequest, type Credentials, notLoggedIn } from "../../access/credentials.js";
import { ownerOf, type Principal } from "../../access/principal.js";
import type { Party } from "../../access/rates.js";
import { Visit, type Visited } from "../../access/visit.js";
import type { Connection } from "../../hub/connection.js";
import type { ResumedSession } from "../../hub/sessions.js";
import { attendanceOf } from "../attendance.js";
import type { DoorContext } from "./context.js";
import { encodeFrame } from "./encoding.js";

/** What a `connect` frame stands for. */
export interface Greeted {
  /** What it came with, to ask again who it is. */
  readonly credentials: Credentials;
  readonly principal: Principal;
  /** Whose rates count, beside those of the connection. */
  readonly party: Party | null;
  readonly resumed: ResumedSession | null;
}

/** One for all, since most connections have none. */
const NO_CREDENTIALS: Credentials = {};

/**
 * Finds out who a client is; at once where nobody has to be asked.
 *
 * @param request what the client came with, where somebody looks at it
 * @throws FanfareError `not_logged_in`, `rate_limited`, `unavailable`
 */
export function greet(
  { access, entrance, sessions, log }: DoorContext,
  { token, csrf, session }: ConnectFrame,
  caller: Caller,
  request: (() => AccessRequest) | undefined,
): Greeted | Promise<Greeted> {
  const { rates } = entrance;
  const from = rates.addressOf(caller.line);
  const principal = access.authenticate({ token, csrf, from, ...(request && { request }) });
  // Neither is kept where nobody will be asked again.
  const credentials = request ? { token, csrf, request } : NO_CREDENTIALS;
  if (session === undefined && !(principal instanceof Promise)) return admit(principal);
  return resume(principal);

  function admit(found: Principal): Greeted {
    const party = rates.partyOf(caller, found);
    const tooMany = party && rates.take("connects", { address: null, user: party.user });
    if (tooMany) throw tooMany;
    return { principal: found, credentials, party, resumed: null };
  }

  async function resume(asking: Principal | Promise<Principal>): Promise<Greeted> {
    const answer = admit(await asking);
    if (session === undefined) return answer;
    // A session that cannot be had is none: the client is told, and begins anew.
    const resumed = await sessions.resume(session, ownerOf(answer.principal)).catch((error: unknown) => {
      log.warn({ err: error }, "a session could not be looked up");
      return null;
    });
    return { ...answer, resumed };
  }
}

/** How a connection is closed where it was not to be found out who the client is. */
export function refusalOf({ code }: FanfareError): CloseCode {
  if (code === "rate_limited") return CLOSE.tooFast;
  return code === "not_logged_in" ? CLOSE.notLoggedIn : CLOSE.tryAgainLater;
}

export class Identity {
  readonly visit: Visit;
  readonly #connection: Connection;
  readonly #door: DoorContext;
  readonly #visited: Visited;

  constructor(
    { principal, credentials }: Greeted,
    connection: Connection,
    door: DoorContext,
    visited: Visited,
  ) {
    this.visit = new Visit(door.access, principal, credentials);
    this.#connection = connection;
    this.#door = door;
    this.#visited = visited;
    this.#watch();
  }

  /** For the log: no secret, and nothing that a terminal obeys. */
  get name(): string {
    return quote(ownerOf(this.visit.principal), 100);
  }

  get expiry(): Expiry {
    const { expires } = this.visit;
    return expires === null ? {} : { expires, time: this.#door.hub.clock.now() };
  }

  /** Goes on with a new token of the same user. @throws FanfareError `not_logged_in`, `unavailable` */
  async renew(token: string): Promise<void> {
    await this.visit.renew(token);
    if (this.#connection.ended) return;
    this.#connection.answer(encodeFrame({ type: "token", ...this.expiry }));
    this.#watch();
    this.changed();
  }

  /** Keys, tokens or grants have changed: looks whether it may stay, and what it may still hear. */
  changed(): void {
    const { visit } = this;
    const connection = this.#connection;
    if (connection.ended) return;
    if (!visit.refresh()) {
      this.#visited.expelled(notLoggedIn("the key or token was revoked, or the user logged out"));
      return;
    }
    for (const subscription of connection.subscriptions.values()) {
      const channel = subscription.channel.name;
      if (visit.may("subscribe", channel)) {
        const attendance = attendanceOf(this.#door.hub, connection, visit, channel);
        if (attendance) connection.attend(channel, attendance);
        continue;
      }
      const error = new FanfareError("forbidden", `the grant for ${channel} was taken away`);
      connection.revoke(channel, error, encodeFrame({ type: "unsubscribed", channel, code: error.code }));
    }
  }

  #watch(): void {
    this.visit.watch(this.#door.wheel, this.#door.hub.clock, this.#visited);
  }
}
