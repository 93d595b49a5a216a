/**
 * One client, whatever its protocol. Knows its identity, checks its requests against grants and rates, and ends it when it may not stay.
 * Begins when the client takes a place, and knows the client from `begin` on. Its transport chooses words and bytes.
 */
import { type ChannelName, type Expiry, FanfareError, parseAudibleName } from "@fanfare/protocol";
import { Acting, ActingOnMany } from "../../access/acting.js";
import { ClientIdentity, type IdentityEvents } from "../../access/client-identity.js";
import type { Action } from "../../access/grants/actions.js";
import { notLoggedIn } from "../../access/grants/credentials.js";
import { ownerOf, type Publisher, publisherOf, type User } from "../../access/grants/principal.js";
import { extraReads, type ReadWork } from "../../access/rates/call-cost.js";
import { Meter } from "../../access/rates/meter.js";
import type { Party } from "../../access/rates/rates.js";
import { readableBy } from "../../access/readable.js";
import type { Connection } from "../../hub/delivery/connection.js";
import type { SubscribeRequest } from "../../hub/delivery/subscription.js";
import type { Admitted } from "./admission.js";
import { attendanceOf } from "./attendance.js";
import { notAccepted, refusedTooOften } from "./closings.js";
import { SessionEnding } from "./session-ending.js";

export class ClientSession extends SessionEnding implements IdentityEvents {
  /** `null` for a client without limits. */
  #meter: Meter | null = null;
  /** Whose idempotency keys are meant, where an anonymous client has said so. */
  #anonymous: string | null = null;

  // ---- who the client is

  /**
   * The client is known: it may ask from now on, and is told to the application.
   *
   * @param subscriptions that the client is about to open: there is room for all of them, or it is not let in
   * @throws FanfareError `not_logged_in`, `rate_limited`, `share_used_up`, `too_many_connections`
   */
  begin(admitted: Admitted, subscriptions = 0): Connection {
    const connection = this.#begin(admitted, subscriptions);
    this.host.hub.lifecycle.connected(connection, ownerOf(this.identity.principal));
    this.#watch();
    return connection;
  }

  /** The same, in a session that a later connection can go on with. @returns its secret @throws FanfareError */
  beginResumable(admitted: Admitted): string {
    const connection = this.#begin(admitted, 0);
    const owner = ownerOf(this.identity.principal);
    const secret = this.host.sessions.begin(connection, admitted.resumed, owner);
    this.#watch();
    return secret;
  }

  #begin({ principal, credentials, party, anonymous }: Admitted, subscriptions: number): Connection {
    const { access, hub, entrance } = this.host;
    const identity = new ClientIdentity(access, principal, credentials);
    const meter = principal.kind === "key" ? null : new Meter(entrance.rates, party);
    for (let index = 0; index < subscriptions; index++) spent(meter?.subscription());
    const owner = party?.owner ?? null;
    if (subscriptions > 0) hub.listening.assertRoomToConnect(owner, subscriptions);
    const connection = hub.connections.open(this, owner);
    this.knownAs = identity;
    this.#meter = meter;
    this.#anonymous = anonymous;
    this.known = connection;
    return connection;
  }

  /** @throws TypeError before `begin` */
  get connection(): Connection {
    return begun(this.known);
  }

  /** @throws TypeError before `begin` */
  get identity(): ClientIdentity {
    return begun(this.knownAs);
  }

  /** When the client is told that it expires, and what time it is. */
  get expiry(): Expiry {
    const { expires } = this.identity;
    return expires === null ? {} : { expires, time: this.host.hub.clock.now() };
  }

  /**
   * Goes on with a new token of the same user. Ends the subscriptions that it does not grant.
   *
   * @param renewed tells the client, before it is told what has changed
   * @throws FanfareError `not_logged_in`, `unavailable`, `rate_limited`
   */
  async renew(token: string, renewed: (expiry: Expiry) => void): Promise<void> {
    await this.identity.renew(token, this.#from);
    renewed(this.expiry);
    this.#watch();
    this.accessChanged();
  }

  /**
   * Goes on as the user of a token, in place of the one before.
   *
   * @throws FanfareError `not_logged_in`, `unavailable`, `rate_limited`, `share_used_up`
   */
  async logIn(token: string): Promise<User> {
    const { identity, connection } = this;
    const { rates } = this.host.entrance;
    if (identity.principal.kind === "key") {
      throw notLoggedIn("the connection has an API key", "Connect without it to log in as a user.");
    }
    const user = await identity.userOf(token, this.#from);
    if (connection.ended) throw notLoggedIn("the connection is closed");
    const party = rates.partyOf(this.caller, user);
    const noRoom = connection.refusalAt(party?.owner ?? null);
    if (noRoom) throw noRoom;
    // A client that logs in on an open connection has opened one.
    const opens = party && ownerOf(user) !== connection.owner;
    if (opens) spent(rates.take("connects", { address: null, user: party.user }));
    identity.logIn(user, token);
    this.#goOnAs(party);
    return user;
  }

  /** Goes on as an anonymous client. */
  logOut(): void {
    this.identity.logOut();
    this.#goOnAs(this.host.entrance.rates.partyOf(this.caller, this.identity.principal));
  }

  /** The connection goes on with what this one may do. */
  #goOnAs(party: Party | null): void {
    const { connection } = this;
    this.#meter?.goOnAs(party);
    this.host.hub.lifecycle.becomes(connection, ownerOf(this.identity.principal));
    this.#watch();
    this.accessChanged();
    const owner = party?.owner ?? null;
    const noRoom = connection.refusalAt(owner);
    // It is logged out all the same, and its address has as many connections as it may have.
    if (noRoom) this.close(notAccepted(noRoom));
    else connection.moveTo(owner);
  }

  #watch(): void {
    const { wheel, hub } = this.host;
    this.identity.watch(wheel, hub.clock, this);
  }

  /** The address for which refused tokens are counted. */
  get #from(): string | null {
    return this.host.entrance.rates.addressOf(this.caller.line);
  }

  // ---- what the client asks

  /** Counts a frame, or a call. @returns the refusal where there were too many */
  countFrame(): FanfareError | null {
    return this.#meter?.frame() ?? null;
  }

  /** Counts a subscription. @throws FanfareError `rate_limited` */
  countSubscription(): void {
    spent(this.#meter?.subscription());
  }

  /** @throws FanfareError `invalid_channel`, `forbidden`, `rate_limited` */
  subscribe(text: string, request: SubscribeRequest): void {
    this.countSubscription();
    this.subscribeCounted(parseAudibleName(text), request);
  }

  /** The same, once it was counted. The hub answers it. @throws FanfareError `forbidden` */
  subscribeCounted(channel: ChannelName, request: SubscribeRequest): void {
    const { identity, connection } = this;
    identity.allow("subscribe", channel);
    const withheld = request.since !== undefined && !identity.may("history", channel);
    const attendance = attendanceOf(this.host.hub, connection, identity, channel);
    const own = attendance ? { ...request, attendance } : request;
    connection.subscribe(channel, withheld ? { ...own, since: undefined, withheld } : own);
  }

  /** Do rules give the channel to every client? */
  isAuto(channel: ChannelName): boolean {
    return this.host.hub.rules.auto.includes(channel);
  }

  /** The channels that rules give to every client, as far as this one may hear them and does not. */
  autoChannels(): ChannelName[] {
    const { identity, connection } = this;
    const isFree = (channel: ChannelName) =>
      !connection.subscriptions.has(channel) && identity.may("subscribe", channel);
    return this.host.hub.rules.auto.filter(isFree);
  }

  /**
   * A call of the client that takes its time: in whose name, and whether the client may still make it.
   *
   * @param action `null` where no grant is needed
   * @throws FanfareError `forbidden`
   */
  acting(action: Action | null, channel: ChannelName): Acting {
    const { identity } = this;
    if (action) identity.allow(action, channel);
    return new Acting(identity, action, channel, this.#nobody, this.#meter);
  }

  /** The same for a call about many channels, each of which is allowed as it comes up. */
  actingOnMany(): ActingOnMany {
    return new ActingOnMany(this.identity, this.#meter);
  }

  /** The client, as the hub knows publishers. */
  get publisher(): Publisher {
    return publisherOf(this.identity.principal, this.#nobody, this.#meter?.owner);
  }

  /** The scope of idempotency keys where the client is anonymous. */
  get #nobody(): string {
    return this.#anonymous ?? `session ${this.connection.publisher}`;
  }

  /** Counts a call that writes. @throws FanfareError `rate_limited` */
  countPublish(): void {
    spent(this.#meter?.publish());
  }

  /** Counts a call that reads. @throws FanfareError `rate_limited` */
  countRead(): void {
    spent(this.#meter?.read());
  }

  /** A call has read this: the next one may have to wait. */
  hasRead(work: ReadWork): void {
    this.#meter?.readMore(extraReads(work));
  }

  /**
   * Something that the client asked for was refused. Closes a client that tries too much for too long.
   *
   * @returns what the client is to be told, without what it may not read; `null` where it was closed
   */
  refused(cause: unknown): FanfareError | null {
    if (!(cause instanceof FanfareError)) {
      this.failedInside(cause);
      return null;
    }
    const { identity } = this;
    const { code } = cause;
    const isTrial = code === "forbidden" || code === "not_logged_in";
    if (isTrial && identity.refused(this.host.hub.clock)) this.sendAway(refusedTooOften(cause));
    else if (code === "rate_limited" && this.#meter?.tolerated === false) this.sendAway(notAccepted(cause));
    else return readableBy(identity, cause);
    return null;
  }

  // ---- what has changed

  /** Keys, tokens or grants have changed: looks whether the client may stay, and what it may still hear. */
  accessChanged(): void {
    const connection = this.known;
    if (!connection || connection.ended) return;
    const { identity } = this;
    if (!identity.refresh()) {
      this.expelled(notLoggedIn("the key or token was revoked, or the user logged out"));
      return;
    }
    // Before what is taken away, since the client asks again for what it was refused until then.
    if (identity.grantsChanged()) connection.answer(this.encoding.grants);
    for (const { channel } of [...connection.subscriptions.values()]) {
      const { name } = channel;
      if (identity.may("subscribe", name)) {
        const attendance = attendanceOf(this.host.hub, connection, identity, name);
        if (attendance) connection.attend(name, attendance);
        continue;
      }
      const error = new FanfareError("forbidden", `the grant for ${name} was taken away`);
      connection.revoke(name, error, this.encoding.unsubscribed(name, error));
    }
  }

  /** The application was asked again who the client is: the client may do other things now. */
  askedAgain(): void {
    this.accessChanged();
  }

  /** It may not be here any more. A client that comes back has to be let in anew. */
  expelled(error: FanfareError): void {
    this.sendAway(notAccepted(error), true);
  }
}

function begun<Part>(part: Part | null): Part {
  if (part) return part;
  throw new TypeError("it is not known yet who the client is");
}

/** @throws what was refused */
function spent(refusal: FanfareError | null | undefined): void {
  if (refusal) throw refusal;
}
