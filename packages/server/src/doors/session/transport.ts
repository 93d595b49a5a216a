/**
 * The seam between a client session and the protocol of a door. The session decides who the client is, what it may do and when it has to
 * go; the transport says so in the words of its protocol. Knows no protocol.
 */
import type { ChannelName, CloseCode, FanfareError } from "@fanfare/protocol";
import type { CallbackCaller } from "../../base/failures.js";
import type { Encoding, Sink } from "../../hub/terms/subscriber.js";

/** The bytes that a door sends to all of its clients alike. */
export interface ClientEncoding extends Encoding {
  /** Tells a client that it may do other things than before. */
  readonly grants: Uint8Array;
  /** Tells a client that a subscription was taken away. */
  unsubscribed(channel: ChannelName, error: FanfareError): Uint8Array;
}

/** Why the server ends a session: the close code says whether the client may come back, the error says what happened. */
export interface Closing {
  readonly close: CloseCode;
  /** Its `retryAfterSeconds` are the seconds after which the client may come back. */
  readonly error: FanfareError;
}

/** One client, as its door speaks to it. */
export interface ClientTransport {
  /** The name of the door. */
  readonly door: CallbackCaller;
  /** One object for all clients of the door: the hub encodes each message once for it. */
  readonly encoding: ClientEncoding;
  readonly sink: Sink;
  /** It closes already, from either side: `close` would say nothing any more. */
  readonly isClosing: boolean;
  /** Stop, or go on, taking requests of this client. */
  pauseReading(): void;
  resumeReading(): void;
  /** Writes what it has gathered: the session is about to leave the hub. Left out where `write` does so. */
  flush?(): void;
  /** Says why, and closes. The session has left the hub. */
  close(closing: Closing): void;
  /** Ends the connection at once. */
  destroy(): void;
}
