/** The door for Server-Sent Events: opens streams of events, for any HTTP client. What comes in by HTTP is read in `http/routes/sse.ts`. */
import { type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import type { Caller } from "../../access/grants/addresses.js";
import type { Credentials } from "../../access/grants/credentials.js";
import type { Principal } from "../../access/grants/principal.js";
import type { Door, DoorCapabilities, DoorHost } from "../door.js";
import { admit } from "../session/admission.js";
import type { OutboundBuffer } from "./outbound-buffer.js";
import { SseStream } from "./stream.js";

export const SSE_CAN: DoorCapabilities = {
  recovery: "cursor",
  positions: true,
  offsets: true,
  unsubscribes: false,
  publishes: false,
  renews: false,
  auto: false,
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
  /** Its credentials, to ask again who it is. */
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
    this.#host.clients.checkRoom(caller);
  }

  /**
   * Opens a stream that tells its cursor. All of its channels have to be allowed.
   *
   * @param outbound makes the place where it goes, when nothing is refused any more
   * @throws FanfareError `forbidden`, `not_logged_in`, `rate_limited`, `share_used_up`, `too_many_connections`
   */
  open(client: StreamClient, items: readonly StreamItem[], outbound: () => OutboundBuffer): void {
    this.check(client, items);
    const { session } = this.#begin(client, outbound(), items);
    for (const { channel, since, state } of items) {
      session.subscribeCounted(channel, { request: undefined, since, state });
    }
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
   * @throws FanfareError `rate_limited`, `share_used_up`, `too_many_connections`
   */
  openFor(client: StreamClient, items: readonly WantedItem[], outbound: () => OutboundBuffer): void {
    const stream = this.#begin(client, outbound(), null);
    for (const { channel, since, state = false } of items) {
      try {
        stream.session.subscribe(channel, { request: undefined, since, state });
      } catch (error) {
        if (!(error instanceof FanfareError)) throw error;
        stream.refuse(channel, error);
      }
    }
  }

  /** @throws FanfareError */
  #begin(
    { caller, principal, credentials }: StreamClient,
    outbound: OutboundBuffer,
    items: readonly StreamItem[] | null,
  ): SseStream {
    const stream = new SseStream(this.#host, caller, outbound, items);
    stream.begin(admit(this.#host, caller, principal, credentials));
    return stream;
  }
}
