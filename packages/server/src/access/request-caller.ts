/**
 * The caller of one HTTP request, as access sees them. Found out once, and looked at again after everything that takes its
 * time: a body, a
 * look-up, a check, the engine.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Permit } from "../hub/terms/permit.js";
import type { Access } from "./access.js";
import type { Action } from "./grants/actions.js";
import { authorize } from "./grants/policy.js";
import type { Principal } from "./grants/principal.js";
import { extraWrites } from "./rates/call-cost.js";
import type { Party, Rates } from "./rates/rates.js";

type Allowed = readonly [Action, ChannelName | null];

export class RequestCaller implements Permit {
  /** Whose rates count; `null` counts for no rate. */
  readonly party: Party | null;
  readonly #access: Access;
  readonly #rates: Rates;
  #principal: Principal;
  #changes: number;
  /** What was allowed first, as one request mostly asks for one thing; and all that followed. */
  #action: Action | null = null;
  #channel: ChannelName | null = null;
  #more: Allowed[] | null = null;

  constructor(access: Access, rates: Rates, principal: Principal, party: Party | null) {
    this.#access = access;
    this.#rates = rates;
    this.#principal = principal;
    this.#changes = access.changes;
    this.party = party;
  }

  /** As of when it was last looked at. */
  get principal(): Principal {
    return this.#principal;
  }

  may(action: Action, channel: ChannelName): boolean {
    return authorize(this.#principal, action, channel);
  }

  /** @throws FanfareError `forbidden`, `not_logged_in` */
  allow(action: Action, channel: ChannelName | null): void {
    this.#access.allow(this.#principal, action, channel);
    if (this.#action === action && this.#channel === channel) return;
    if (this.#action === null) {
      this.#action = action;
      this.#channel = channel;
      return;
    }
    this.#more ??= [];
    this.#more.push([action, channel]);
  }

  hasWritten(bytes: number): void {
    const extra = this.party ? extraWrites(bytes) : 0;
    if (this.party && extra > 0) this.#rates.count("publishes", this.party, extra);
  }

  /**
   * To be called after a wait: may the caller still be here, and do what was allowed?
   *
   * @throws FanfareError `not_logged_in`, `forbidden`
   */
  check(): void {
    const access = this.#access;
    if (access.changes === this.#changes && !access.hasEnded(this.#principal)) return;
    const principal = access.again(this.#principal);
    this.#changes = access.changes;
    if (principal === this.#principal) return;
    this.#principal = principal;
    if (this.#action) access.allow(principal, this.#action, this.#channel);
    for (const [action, channel] of this.#more ?? []) access.allow(principal, action, channel);
  }
}
