/**
 * One client's connection, as the hub keeps it: its subscriptions, and what waits for it. Whenever the connection can take more,
 * answers go first, then each lagging subscription in turn writes a page.
 */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Seat } from "../terms/listening.js";
import type { Attendance } from "../terms/member.js";
import type { Sink, Subscriber } from "../terms/subscriber.js";
import type { Waiting } from "./budgets.js";
import type { ConnectionHost } from "./connection-host.js";
import { LagRing, type LazyAnswer, type RingOwner } from "./lag-ring.js";
import { type Batch, type SubscribeRequest, Subscription } from "./subscription.js";
import { SubscriptionMap } from "./subscription-map.js";

/** When this many bytes of answers wait for a client, nothing more is read from it. */
const MAX_WAITING_ANSWERS = 64 * 1024;
/** The bytes that an answer counts before it is encoded. */
const UNENCODED_ANSWER = 256;

const ONE_SUBSCRIPTION = { connections: 0, subscriptions: 1 };

export class Connection implements RingOwner, Waiting {
  /** The same on every node; no secret. */
  readonly id: string;
  readonly subscriber: Subscriber;
  readonly sink: Sink;
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
  /** The publisher's name: the first connection of its session. */
  publisher: string;
  /** Whose session it is; no other principal can resume it. */
  owner = "";
  /** When it came in: milliseconds since 1970. */
  readonly since: number;
  readonly #host: ConnectionHost;
  /** In whose share it counts. */
  #seat: Seat | null;
  // Most connections are idle most of the time: neither is kept empty.
  #answers: Uint8Array[] | null = null;
  #ring: LagRing | null = null;
  /** Bytes of answers that wait, roughly. */
  #waitingAnswers = 0;
  #paused = false;
  #whenAnswered: (() => void) | null = null;

  constructor(id: string, subscriber: Subscriber, host: ConnectionHost, seat: Seat | null) {
    this.id = id;
    this.publisher = id;
    this.subscriber = subscriber;
    this.sink = subscriber.sink;
    this.since = host.clock.now();
    this.#host = host;
    this.#seat = seat;
  }

  /** In whose share it counts; `null` is an owner without a bound. */
  get shareOwner(): string | null {
    return this.#seat?.owner ?? null;
  }

  /** May a subscription be behind? */
  get behind(): boolean {
    return this.#ring !== null;
  }

  /** How many subscriptions and answers wait for their turn. */
  get waiting(): number {
    return this.#ring?.size ?? 0;
  }

  get waitingBytes(): number {
    return this.sink.waitingBytes;
  }

  cutOff(): void {
    this.leave();
    this.subscriber.end("too_slow");
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
    this.#leave(subscription);
    this.offer((encoding) => encoding.done(id));
  }

  /** The same for many, with one answer. Passes over those to which there is no subscription. */
  unsubscribeAll(names: readonly ChannelName[], id: number): void {
    for (const name of names) {
      const subscription = this.subscriptions.get(name);
      if (subscription) this.#leave(subscription);
    }
    this.offer((encoding) => encoding.done(id));
  }

  #leave(subscription: Subscription): void {
    this.#drop(subscription);
    const { request, channel } = subscription;
    if (!request) return;
    const message = `${channel.name} was unsubscribed before the subscription began`;
    this.refuse(channel.name, request, new FanfareError("not_subscribed", message));
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
    if (subscription.request) subscription.attend(attendance);
    else this.#host.presence.change(subscription, attendance);
  }

  /** Writes an answer of the door: at the end of this turn, together with what else there is, or as soon as it is taken. */
  answer(bytes: Uint8Array): void {
    if (this.ended) return;
    this.#answers ??= [];
    this.#answers.push(bytes);
    this.#wait(bytes.length);
    if (!this.full) this.#host.scheduler.pump(this);
  }

  /** Writes what is encoded only when its turn comes. */
  offer(answer: LazyAnswer): void {
    if (this.ended) return;
    this.#wait(UNENCODED_ANSWER);
    this.#enqueue(answer);
  }

  /** One more channel of a batch is answered. */
  answered(batch: Batch): void {
    if (--batch.unanswered === 0) this.offer((encoding) => encoding.done(batch.request));
  }

  /** Calls once everything that was asked has been answered, and the answers were written; at once where nothing is owed. */
  whenAnswered(call: () => void): void {
    this.#whenAnswered = call;
    this.#lookIfAnswered();
  }

  #lookIfAnswered(): void {
    const call = this.#whenAnswered;
    if (!call || this.#answers || this.#ring?.hasAnswers) return;
    for (const { request } of this.subscriptions.values()) if (request) return;
    this.#whenAnswered = null;
    call();
  }

  /** Why it cannot move to the share of this owner with all of its subscriptions; `null` when it can. */
  refusalAt(owner: string | null): FanfareError | null {
    if (this.#seat?.owner === owner) return null;
    return this.#host.listening.refusal(owner, this.subscriptions.size);
  }

  /** It counts in the share of somebody else from now on. */
  moveTo(owner: string | null): void {
    if (this.ended) return;
    const { listening } = this.#host;
    const before = this.#seat;
    this.#seat = listening.enter(owner, this.subscriptions.size);
    listening.leave(before, this.subscriptions.size);
  }

  // ---- writing

  /** Writes whole frames. Only to be called while the connection is not full. */
  write(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.ended) return;
    if (!this.heldBack) this.#host.scheduler.holdBack(this);
    try {
      if (this.sink.write(bytes)) return;
    } catch (error) {
      this.subscriber.failedInside(error);
      return;
    }
    this.full = true;
    this.#host.waiting.add(this);
  }

  /** The door says that the connection takes more. */
  drained(): void {
    if (!this.full || this.ended) return;
    this.full = false;
    this.#host.waiting.delete(this);
    this.pump();
  }

  /** A lagging subscription waits for its turn. */
  enqueue(subscription: Subscription): void {
    this.#enqueue(subscription);
  }

  writeLazily(answer: LazyAnswer): void {
    this.#waitingAnswers -= UNENCODED_ANSWER;
    this.write(answer(this.subscriber.encoding));
  }

  failedInside(error: unknown): void {
    this.subscriber.failedInside(error);
  }

  ringDue(): void {
    if (!this.full) this.#host.scheduler.pump(this);
  }

  /** Writes what waits, in turn, until the connection is full or nothing is left. */
  pump(): void {
    if (this.ended || this.full || !(this.#answers || this.#ring)) return;
    this.sink.cork();
    try {
      this.#writeAnswers();
      this.#ring?.turn();
      if (this.#ring?.isDone) this.#ring = null;
    } finally {
      this.sink.uncork();
    }
    if (this.#paused && this.#waitingAnswers < MAX_WAITING_ANSWERS) {
      this.#paused = false;
      this.subscriber.resumeReading();
    }
    if (this.#whenAnswered) this.#lookIfAnswered();
  }

  /** The connection is over, or about to be closed by the door: nothing is written to it any more. */
  leave(): void {
    if (this.ended) return;
    this.#writeAnswers();
    this.ended = true;
    for (const subscription of this.subscriptions.values()) subscription.channel.remove(subscription);
    this.#host.listening.leave(this.#seat, this.subscriptions.size);
    this.subscriptions.clear();
    this.#ring = null;
    this.#answers = null;
    this.#host.waiting.delete(this);
    this.#host.connections.left(this);
  }

  #subscribe(name: ChannelName, request: SubscribeRequest): void {
    if (this.subscriptions.has(name)) {
      throw new FanfareError("already_subscribed", `this connection is subscribed to ${name} already`);
    }
    const { subscriptionsPerConnection: most } = this.#host.limits;
    if (this.subscriptions.size >= most) {
      throw new FanfareError("too_many_subscriptions", `this connection has ${most} subscriptions`);
    }
    const noRoom = this.#seat?.refusal(ONE_SUBSCRIPTION);
    if (noRoom) throw noRoom;
    this.#host.memory.assertRoomToSubscribe();
    const channel = this.#host.channels.get(name);
    const subscription = new Subscription(this, channel, request);
    this.subscriptions.add(subscription);
    this.#seat?.subscribed();
    channel.add(subscription);
  }

  #drop(subscription: Subscription): void {
    subscription.channel.remove(subscription);
    this.subscriptions.delete(subscription.channel.name);
    this.#seat?.unsubscribed();
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

  #enqueue(next: Subscription | LazyAnswer): void {
    this.#ring ??= new LagRing(this, this.#host);
    this.#ring.push(next);
    this.ringDue();
  }
}
