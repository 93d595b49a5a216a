/**
 * One client's connection, as the hub keeps it: its subscriptions, and the ring of those that lag. Whenever the connection
 * can take more, answers go first, then each lagging subscription in turn writes a page.
 */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock, Random } from "../clock.js";
import type { Engine } from "../engine/engine.js";
import { nextStep } from "./catch-up.js";
import type { Channel } from "./channel.js";
import type { Counters } from "./counters.js";
import { PAGE_BYTES } from "./page.js";
import type { PageCache } from "./page-cache.js";
import type { Attendance } from "./presence/member.js";
import type { Presence } from "./presence/presence.js";
import type { Encoding, Subscriber } from "./subscriber.js";
import { type Batch, type SubscribeRequest, Subscription } from "./subscription.js";
import { SubscriptionMap } from "./subscription-map.js";

/** When so many bytes of answers wait for a client, nothing more is read from it. */
const MAX_WAITING_ANSWERS = 64 * 1024;
/** What an answer that is not encoded yet counts. */
const UNENCODED_ANSWER = 256;
/** After so many pages the others get their turn. */
const STEPS_PER_TURN = 64;
const RETRY_MS = 200;

/** What a connection needs of the hub. */
export interface ConnectionHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly pages: PageCache;
  readonly counters: Counters;
  readonly presence: Presence;
  readonly maxSubscriptions: number;
  /** The channel, listened to or about to be. @throws FanfareError `too_many_channels` */
  channel(name: ChannelName): Channel;
  /** Pump the connection at the end of this turn. */
  pumpSoon(connection: Connection): void;
  /** A write is about to happen while many channels are flushed: the connection may hold it until all are. */
  holdBack(connection: Connection): void;
  becameFull(connection: Connection): void;
  becameFree(connection: Connection): void;
  left(connection: Connection): void;
}

/** An answer that is encoded only when the connection takes it. */
type LazyAnswer = (encoding: Encoding) => Uint8Array;

export class Connection {
  /** The same on every node; no secret. */
  readonly id: string;
  readonly subscriber: Subscriber;
  readonly subscriptions = new SubscriptionMap();
  /** The connection takes nothing until it is drained. */
  full = false;
  /** It is corked until the end of the flush. */
  heldBack = false;
  /** It is in the hub's list of those to be pumped. */
  pumpDue = false;
  ended = false;
  /** The hash under which its session is kept. */
  session: string | null = null;
  /** Who publishes through it: the first connection of its session. */
  publisher: string;
  /** Whose session it is; nobody else can resume it. */
  owner = "";
  /** When it came in: milliseconds since 1970. */
  readonly since: number;
  readonly #host: ConnectionHost;
  // Most connections are idle most of the time: neither is kept empty.
  #answers: Uint8Array[] | null = null;
  #ring: (Subscription | LazyAnswer)[] | null = null;
  /** Bytes of answers that wait, roughly. */
  #waitingAnswers = 0;
  #paused = false;
  #reading = false;

  constructor(id: string, subscriber: Subscriber, host: ConnectionHost) {
    this.id = id;
    this.publisher = id;
    this.subscriber = subscriber;
    this.since = host.clock.now();
    this.#host = host;
  }

  /** May a subscription be behind? */
  get behind(): boolean {
    return this.#ring !== null || this.#reading;
  }

  /** How many subscriptions and answers wait for their turn. */
  get waiting(): number {
    return this.#ring?.length ?? 0;
  }

  // ---- requests

  /** Subscribes. The answer is written when the connection takes it. */
  subscribe(name: ChannelName, request: SubscribeRequest): void {
    if (this.ended) return;
    try {
      this.#subscribe(name, request);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.refuse(name, request, error);
    }
  }

  /** Answers a subscribe with an error. */
  refuse(name: string, request: SubscribeRequest, error: FanfareError): void {
    this.offer((encoding) => encoding.refused(request.request, name, error));
    if (request.batch) this.answered(request.batch);
  }

  /**
   * Ends a subscription. After the answer no frame of the channel is written any more.
   *
   * @throws FanfareError `not_subscribed`
   */
  unsubscribe(name: ChannelName, id: number): void {
    const subscription = this.subscriptions.get(name);
    if (!subscription) {
      throw new FanfareError("not_subscribed", `this connection is not subscribed to ${name}`);
    }
    this.#drop(subscription);
    const { request } = subscription;
    if (request) {
      const message = `${name} was unsubscribed before the subscription began`;
      this.refuse(name, request, new FanfareError("not_subscribed", message));
    }
    this.offer((encoding) => encoding.done(id));
  }

  /**
   * Ends a subscription that the client may not have any more; does nothing when there is none.
   *
   * @param error the answer to the request, if it has not been answered yet
   * @param told what the client is told otherwise; after it no frame of the channel is written
   */
  revoke(name: ChannelName, error: FanfareError, told: Uint8Array): void {
    const subscription = this.subscriptions.get(name);
    if (!subscription) return;
    const { request } = subscription;
    this.#drop(subscription);
    if (request) this.refuse(name, request, error);
    else this.answer(told);
  }

  /** The engine could not be asked to listen to the channel. */
  joinFailed(subscription: Subscription, error: FanfareError): void {
    this.#drop(subscription);
    if (subscription.request) this.refuse(subscription.channel.name, subscription.request, error);
  }

  /** Who has the subscription is another to the application now, or may see other things. */
  attend(name: ChannelName, attendance: Attendance): void {
    const subscription = this.subscriptions.get(name);
    if (!subscription) return;
    const { request } = subscription;
    if (request) subscription.request = { ...request, attendance };
    else this.#host.presence.change(subscription, attendance);
  }

  /** Writes an answer of the door: at the end of this turn, together with what else there is, or as soon as it is taken. */
  answer(bytes: Uint8Array): void {
    if (this.ended) return;
    this.#answers ??= [];
    this.#answers.push(bytes);
    this.#wait(bytes.length);
    if (!this.full) this.#host.pumpSoon(this);
  }

  /** Writes what is encoded only when its turn comes. */
  offer(answer: LazyAnswer): void {
    if (this.ended) return;
    this.#queue(answer);
    this.#wait(UNENCODED_ANSWER);
    if (!this.full) this.#host.pumpSoon(this);
  }

  /** One more channel of a batch is answered. */
  answered(batch: Batch): void {
    if (--batch.unanswered === 0) this.offer((encoding) => encoding.done(batch.request));
  }

  // ---- writing

  /** Writes whole frames. Only to be called while the connection is not full. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.ended) return;
    if (!this.heldBack) this.#host.holdBack(this);
    if (!this.subscriber.write(bytes)) {
      this.full = true;
      this.#host.becameFull(this);
    }
  }

  /** The door says that the connection takes more. */
  drained(): void {
    if (!this.full || this.ended) return;
    this.full = false;
    this.#host.becameFree(this);
    this.pump();
  }

  /** A lagging subscription waits for its turn. */
  enqueue(subscription: Subscription): void {
    this.#queue(subscription);
    if (!this.full) this.#host.pumpSoon(this);
  }

  /** Writes what waits, in turn, until the connection is full or nothing is left. */
  pump(): void {
    if (this.ended || this.full || !(this.#answers || this.#ring)) return;
    this.subscriber.cork();
    this.#writeAnswers();
    this.#writePages();
    this.subscriber.uncork();
    if (this.#paused && this.#waitingAnswers < MAX_WAITING_ANSWERS) {
      this.#paused = false;
      this.subscriber.resumeReading();
    }
  }

  /** The connection is over, or about to be closed by the door: nothing is written to it any more. */
  leave(): void {
    if (this.ended) return;
    this.#writeAnswers();
    this.ended = true;
    for (const subscription of this.subscriptions.values()) subscription.channel.remove(subscription);
    this.subscriptions.clear();
    this.#ring = null;
    this.#answers = null;
    this.#host.left(this);
  }

  #subscribe(name: ChannelName, request: SubscribeRequest): void {
    if (this.subscriptions.has(name)) {
      throw new FanfareError("already_subscribed", `this connection is subscribed to ${name} already`);
    }
    const { maxSubscriptions } = this.#host;
    if (this.subscriptions.size >= maxSubscriptions) {
      throw new FanfareError(
        "too_many_subscriptions",
        `this connection has ${maxSubscriptions} subscriptions`,
      );
    }
    const channel = this.#host.channel(name);
    const subscription = new Subscription(this, channel, request);
    this.subscriptions.add(subscription);
    channel.add(subscription);
  }

  #drop(subscription: Subscription): void {
    subscription.channel.remove(subscription);
    this.subscriptions.delete(subscription.channel.name);
  }

  #wait(bytes: number): void {
    this.#waitingAnswers += bytes;
    if (this.#paused || this.#waitingAnswers < MAX_WAITING_ANSWERS) return;
    this.#paused = true;
    this.subscriber.pauseReading();
  }

  #writeAnswers(): void {
    const answers = this.#answers;
    if (!answers) return;
    let written = 0;
    while (!this.full) {
      const answer = answers[written];
      if (!answer) break;
      written++;
      this.#waitingAnswers -= answer.length;
      this.write(answer);
    }
    this.#answers = written < answers.length ? answers.slice(written) : null;
  }

  #writePages(): void {
    const ring = this.#ring;
    if (!ring) return;
    const now = this.#host.clock.now();
    let stepsLeft = STEPS_PER_TURN;
    /** Subscriptions in a row that could only wait; when that is all of the ring, the turn is over. */
    let waiting = 0;
    while (!this.full && waiting < ring.length) {
      if (stepsLeft-- === 0) {
        this.#host.pumpSoon(this);
        return;
      }
      const next = ring.shift();
      if (typeof next === "function") {
        this.#waitingAnswers -= UNENCODED_ANSWER;
        this.write(next(this.subscriber.encoding));
      } else if (next?.state === "lagging") {
        const step = nextStep(next, now, this.#host.pages);
        if (step.kind === "read" && this.#reading) {
          ring.push(next);
          waiting++;
          continue;
        }
        if (step.kind === "read") void this.#read(next, step.after);
        const wrote = step.kind === "write" || step.kind === "answer";
        if (step.kind === "write") {
          this.write(step.page.bytes);
          this.#host.counters.wrote(step.page, 1);
        } else if (step.kind === "answer") {
          this.write(step.bytes);
          if (step.reason) this.#host.counters.gaps[step.reason]++;
        }
        // After a write it may have become live. What was read for it goes out before anything else is read, so that
        // a connection never holds more than one page of the engine's.
        if (wrote && next.state === "lagging") {
          if (next.read) ring.unshift(next);
          else ring.push(next);
        }
      }
      waiting = 0;
    }
    if (ring.length === 0) this.#ring = null;
  }

  #queue(next: Subscription | LazyAnswer): void {
    this.#ring ??= [];
    this.#ring.push(next);
  }

  /** Asks the engine for a subscription; one at a time. */
  async #read(subscription: Subscription, after: Subscription["cursor"]): Promise<void> {
    this.#reading = true;
    const { channel } = subscription;
    try {
      const page = await this.#host.engine.read(channel.name, after, { messages: 1000, bytes: PAGE_BYTES });
      // What the tail has not heard of, a change of the state perhaps, it has to learn of first.
      if (channel.tail?.lacks({ epoch: page.epoch, offset: page.head })) await channel.tail.catchUp();
      subscription.read = page;
    } catch {
      const { clock, random } = this.#host;
      await new Promise<void>((done) => clock.after(RETRY_MS * (0.5 + random.fraction()), done));
    }
    this.#reading = false;
    if (this.ended) return;
    if (subscription.state === "lagging") {
      this.#ring ??= [];
      this.#ring.unshift(subscription);
    }
    this.#host.pumpSoon(this);
  }
}
