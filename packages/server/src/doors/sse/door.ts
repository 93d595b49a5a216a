/** The door for Server-Sent Events: opens streams of events, for any HTTP client. What comes in by HTTP is read in `http/sse.ts`. */
import { type ChannelName, FanfareError, type Position, parseAudibleName } from "@fanfare/protocol";
import type { Caller } from "../../access/addresses.js";
import type { Credentials } from "../../access/credentials.js";
import { Meter } from "../../access/meter.js";
import type { Principal } from "../../access/principal.js";
import { Visit } from "../../access/visit.js";
import { attendanceOf } from "../attendance.js";
import type { Door, DoorCapabilities, DoorHost } from "../door.js";
import type { Outlet } from "./outlet.js";
import { SseStream } from "./stream.js";

export const SSE_CAN: DoorCapabilities = {
  recovery: "cursor",
  positions: true,
  offsets: true,
  unsubscribes: false,
  publishes: false,
};

/** A channel that a stream is to carry. */
export interface StreamItem {
  readonly channel: ChannelName;
  /** Where the client was. */
  readonly since: Position | undefined;
  /** The state is wanted even if nothing was missed since then. */
  readonly state: boolean;
}

/** The same, as a client that keeps its positions asks for it. */
export interface WantedItem {
  readonly channel: string;
  readonly since?: Position | undefined;
  readonly state?: boolean | undefined;
}

/** Somebody who wants a stream. */
export interface StreamClient {
  readonly caller: Caller;
  readonly principal: Principal;
  /** What it came with, to ask again who it is. */
  readonly credentials: Credentials;
}

export class SseDoor implements Door {
  readonly name = "sse";
  readonly can = SSE_CAN;
  readonly #host: DoorHost;

  constructor(host: DoorHost) {
    this.#host = host;
  }

  /** May another client come in? To be asked before it is found out who it is. @throws FanfareError */
  admit(caller: Caller): void {
    this.#host.guests.checkRoom(caller);
  }

  /**
   * Opens a stream that tells its cursor. All of its channels have to be allowed.
   *
   * @param outlet makes the place where it goes, when nothing is refused any more
   * @throws FanfareError `forbidden`, `not_logged_in`, `rate_limited`, `too_many_connections`
   */
  open(client: StreamClient, items: readonly StreamItem[], outlet: () => Outlet): void {
    this.check(client, items);
    const { visit, meter } = this.#visitOf(client);
    for (const _ of items) {
      const tooMuch = meter?.subscription();
      if (tooMuch) throw tooMuch;
    }
    const stream = new SseStream(this.#host, client.caller, visit, outlet(), items);
    stream.begin();
    for (const { channel, since, state } of items) this.#subscribe(stream, visit, channel, since, state);
  }

  /** May the client hear all of this? @throws FanfareError `forbidden`, `not_logged_in` */
  check({ principal }: StreamClient, items: readonly StreamItem[]): void {
    for (const { channel } of items) {
      this.#host.access.allow(principal, "subscribe", channel);
    }
  }

  /**
   * Opens a stream for a client that keeps its positions: no cursor is told, and each channel that is refused is an event.
   *
   * @throws FanfareError `rate_limited`, `too_many_connections`
   */
  openFor(client: StreamClient, items: readonly WantedItem[], outlet: () => Outlet): void {
    const { visit, meter } = this.#visitOf(client);
    const stream = new SseStream(this.#host, client.caller, visit, outlet(), null);
    stream.begin();
    for (const { channel: text, since, state = false } of items) {
      try {
        const tooMuch = meter?.subscription();
        if (tooMuch) throw tooMuch;
        const channel = parseAudibleName(text);
        visit.allow("subscribe", channel);
        this.#subscribe(stream, visit, channel, since, state);
      } catch (error) {
        if (!(error instanceof FanfareError)) throw error;
        stream.refuse(text, error);
      }
    }
  }

  #visitOf({ caller, principal, credentials }: StreamClient): { visit: Visit; meter: Meter | null } {
    const { access, entrance } = this.#host;
    const party = entrance.rates.partyOf(caller, principal);
    const tooMany = party && entrance.rates.take("connects", { address: null, user: party.user });
    if (tooMany) throw tooMany;
    // Neither is kept where nobody will be asked again.
    const visit = new Visit(access, principal, access.asking.possible ? credentials : {});
    return { visit, meter: principal.kind === "key" ? null : new Meter(entrance.rates, party) };
  }

  #subscribe(
    { connection }: SseStream,
    visit: Visit,
    channel: ChannelName,
    since: Position | undefined,
    state: boolean,
  ): void {
    const withheld = since !== undefined && !visit.may("history", channel);
    const attendance = attendanceOf(this.#host.hub, connection, visit, channel);
    connection.subscribe(channel, {
      request: undefined,
      since: withheld ? undefined : since,
      state,
      ...(withheld && { withheld }),
      ...(attendance && { attendance }),
    });
  }
}
