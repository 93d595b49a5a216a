/** What a door's tests are written with: a client of any protocol, and the server that it comes to. */
import type { GapReason, Position } from "@fanfare/protocol";
import type { Fanfare } from "../../library/fanfare.js";
import type { FanfareOptions } from "../../library/options.js";

interface DeliveredMessage {
  readonly kind: "message";
  readonly channel: string;
  /** Where the protocol tells it. */
  readonly offset?: number;
  readonly data: unknown;
}

export interface DeliveredGap {
  readonly kind: "gap";
  readonly channel: string;
  readonly from: number;
  readonly to: number;
  readonly reason: GapReason;
}

export type Delivered = DeliveredMessage | DeliveredGap;

interface Subscribed {
  /** Where the protocol tells it. */
  readonly position?: Position;
  readonly recovered?: boolean;
  readonly reason?: GapReason;
  /** The state of the channel, and how many are present, where the answer tells them. */
  readonly state?: unknown;
  readonly present?: number;
}

/** How a server took leave of a client. */
export interface Ended {
  /** Seconds after which it may come back, where the server said so. */
  readonly retryAfterSeconds?: number;
}

/** One client, in the words of the contract. Whatever waits has a deadline of its own. */
export interface DoorClient {
  /**
   * Resolves when the subscription has begun. `since` is given only with `positions`.
   *
   * @throws when it is refused, an error whose message holds the error's code
   */
  subscribe(channel: string, since?: Position): Promise<Subscribed>;
  /** Resolves when nothing of the channel follows any more. Only with `unsubscribes`. */
  unsubscribe(channel: string): Promise<void>;
  /** Resolves when the message is in the log. Only with `publishes`. */
  publish(channel: string, data: unknown): Promise<void>;
  /**
   * Shows a new token, and resolves when the client goes on with it. Only with `renews`.
   *
   * @throws when it is refused, or the connection ends
   */
  renew(token: string): Promise<void>;
  /** The next channel whose subscription the server has ended. */
  revoked(): Promise<string>;
  /** The next message or gap. */
  next(): Promise<Delivered>;
  /** How many are present on some channel, as it is told next, except in the answer to `subscribe`. */
  present(): Promise<number>;
  /** How many messages and gaps are there to be taken. */
  readonly waiting: number;
  stopReading(): void;
  readAgain(): void;
  /** Says goodbye as the protocol has it, and resolves when it is over. */
  leave(): Promise<void>;
  /** Is gone without a word. */
  vanish(): void;
  /**
   * After `vanish`: comes back as clients of this protocol do, with all that it was subscribed to, and resolves when its subscriptions
   * have begun again. False says that it was told that something may be missing.
   */
  comeBack(): Promise<boolean>;
  /** Resolves when the server has ended the connection. */
  readonly ended: Promise<Ended>;
}

export interface DoorUnderTest {
  readonly fanfare: Fanfare;
  /**
   * @param token says who the client is
   * @throws when it is refused, an error whose message holds the error's code; or `subscribe` does so
   */
  open(token?: string): Promise<DoorClient>;
}

/** Starts a server with the door, open to everybody unless the options say otherwise. */
export type Open = (options?: FanfareOptions) => Promise<DoorUnderTest>;

export async function subscribed(opening: Promise<DoorClient>, channel: string): Promise<DoorClient> {
  const client = await opening;
  await client.subscribe(channel);
  return client;
}

/** The data of the deliveries up to one, gaps left out. */
export async function dataUntil(client: DoorClient, last: unknown): Promise<unknown[]> {
  const data: unknown[] = [];
  while (data.at(-1) !== last) {
    const delivered = await client.next();
    if (delivered.kind === "message") data.push(delivered.data);
  }
  return data;
}

/** The data of the next deliveries, which must be messages. */
export async function dataOf(client: DoorClient, count: number): Promise<unknown[]> {
  const data: unknown[] = [];
  while (data.length < count) {
    const delivered = await client.next();
    if (delivered.kind === "gap") throw new Error(`a gap came: ${JSON.stringify(delivered)}`);
    data.push(delivered.data);
  }
  return data;
}
