/** A call of a connected client that takes its time: the name it is made in, and whether the client may still make it. */
import type { ChannelName } from "@fanfare/protocol";
import type { Permit } from "../hub/terms/permit.js";
import type { ClientIdentity } from "./client-identity.js";
import type { Action } from "./grants/actions.js";
import { notLoggedIn } from "./grants/credentials.js";
import { ownerOf, type Publisher } from "./grants/principal.js";
import type { Meter } from "./rates/meter.js";

export class Acting implements Permit, Publisher {
  /** How the hub knows who publishes. */
  readonly user: string | undefined;
  readonly principal: string;
  readonly owner: string | undefined;
  /** So that all of this can be handed on together. */
  readonly permit: Permit = this;
  readonly #identity: ClientIdentity;
  readonly #action: Action | null;
  readonly #channel: ChannelName;
  readonly #meter: Meter | null;
  #changes: number;

  /**
   * @param action what was allowed; `null` where no grant is needed
   * @param nobody the scope of idempotency keys where the caller is anonymous
   * @param meter counts what is done, and says who owns what is made; none for a client without limits
   */
  constructor(
    identity: ClientIdentity,
    action: Action | null,
    channel: ChannelName,
    nobody: string,
    meter: Meter | null,
  ) {
    const { principal: caller } = identity;
    this.user = caller.kind === "user" ? caller.user : undefined;
    this.principal = caller.kind === "nobody" ? nobody : ownerOf(caller);
    this.owner = meter?.owner;
    this.#meter = meter;
    this.#identity = identity;
    this.#action = action;
    this.#channel = channel;
    this.#changes = identity.changes;
  }

  /** The channel of the call. A getter, so that a copy of the members leaves it out. */
  get channel(): ChannelName {
    return this.#channel;
  }

  hasWritten(bytes: number): void {
    this.#meter?.hasWritten(bytes);
  }

  check(): void {
    const identity = this.#identity;
    if (isAsBefore(identity, this.#changes)) return;
    if (this.#action) identity.allow(this.#action, this.#channel);
    this.#changes = identity.changes;
  }
}

/** The permit of a call that is about many channels, each of which is allowed as it comes up. */
export class ActingOnMany implements Permit {
  readonly #identity: ClientIdentity;
  readonly #meter: Meter | null;
  readonly #allowed: (readonly [Action, ChannelName])[] = [];
  #changes: number;

  constructor(identity: ClientIdentity, meter: Meter | null) {
    this.#identity = identity;
    this.#meter = meter;
    this.#changes = identity.changes;
  }

  /** This was allowed. */
  allowed(action: Action, channel: ChannelName): void {
    this.#allowed.push([action, channel]);
  }

  hasWritten(bytes: number): void {
    this.#meter?.hasWritten(bytes);
  }

  check(): void {
    const identity = this.#identity;
    if (isAsBefore(identity, this.#changes)) return;
    for (const [action, channel] of this.#allowed) identity.allow(action, channel);
    this.#changes = identity.changes;
  }
}

/** Has access not changed since then? Looks again where it has. @throws FanfareError `not_logged_in` */
function isAsBefore(identity: ClientIdentity, changes: number): boolean {
  if (identity.changes === changes && !identity.isOver) return true;
  if (identity.isOver || !identity.refresh()) throw notLoggedIn("the client was sent away meanwhile");
  return false;
}
