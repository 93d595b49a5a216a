/**
 * A client for tests that follows PROTOCOL.md to the letter and compares every frame with the truth: what the engine really
 * appended. Throws at the first frame that is false, out of order, or hides a hole.
 */
import { isDeepStrictEqual } from "node:util";
import { applyMergePatch, type ChannelName, type JsonObject, type Position } from "@fanfare/protocol";
import type { HostileRests } from "../engine/hostile/hostile-rests.js";
import type { Batch } from "../hub/delivery/subscription.js";
import type { Hub } from "../hub/hub.js";
import type { Rules } from "../hub/terms/rules.js";
import {
  FakeSubscriber,
  type Frame,
  type Reading,
  type StateFrame,
  type SubscribedFrame,
} from "./fake-subscriber.js";
import type { RecordedEngine } from "./recorded-engine.js";

/** What was asked, and how the channel really stood then. */
interface Asked {
  readonly channel: ChannelName;
  readonly since: Position | undefined;
  readonly truth: Position;
  /** Where the head was at most when the request was made. */
  atMost: number;
  /** It asked for the state in any case. */
  readonly state: boolean;
}

/** A state as the client holds it. */
interface HeldState {
  readonly epoch: string;
  readonly offset: number;
  readonly value: JsonObject | null;
  /** Nothing was missed since. */
  readonly known: boolean;
}

interface Request {
  readonly unanswered: Map<string, Asked>;
  /** Ends with an `ok`. */
  readonly closes: "batch" | "unsubscribe" | null;
  readonly unsubscribes?: ChannelName;
}

interface Following {
  position: { epoch: string; offset: number };
  /** Up to here nothing may be missing that the client did not miss by being slow. */
  promised: Position | null;
  /** It began at the head, and has read without a pause since. */
  keepsUp: boolean;
  /** Up to here it may have waited for its answer, because nobody knew the state after a log had started over. */
  waitedUntil: number;
  time: number;
}

export interface World {
  readonly truth: RecordedEngine;
  readonly rules: Rules;
  /** Announcements cannot get lost. */
  readonly lossless: boolean;
  /** What is held of logs that went on in another epoch. */
  readonly rests?: HostileRests | undefined;
}

const STARTED_OVER = ["restarted", "epoch_changed", "forgotten"];

export class CheckedClient {
  readonly name: string;
  readonly #world: World;
  readonly #highWaterMark: number;
  /** Where it stood in each channel when it was last connected. */
  readonly reached = new Map<ChannelName, Position>();
  readonly following = new Map<string, Following>();
  /** The state of each channel; it stays when the client is away. */
  readonly #states = new Map<string, HeldState>();
  readonly #requests = new Map<number, Request>();
  #subscriber: FakeSubscriber | null = null;
  /** Each of its connections so far, and the hub that it was to. */
  readonly connections: { readonly hub: Hub; readonly subscriber: FakeSubscriber }[] = [];
  /** It has read everything at once since it connected. */
  #steady = true;
  #checked = 0;
  #lastRequest = 0;
  #frames: string[] = [];

  constructor(name: string, highWaterMark: number, world: World) {
    this.name = name;
    this.#highWaterMark = highWaterMark;
    this.#world = world;
  }

  get online(): boolean {
    return this.#subscriber !== null;
  }
  get connectionId(): string | undefined {
    return this.#subscriber?.connection.id;
  }
  /** What was read lately, for messages. */
  get lately(): string {
    return this.#frames.slice(-12).join("\n    ");
  }
  get unanswered(): number {
    return this.#requests.size;
  }

  connect(hub: Hub, reading: Reading): void {
    this.leave();
    this.#steady = reading === "at once";
    this.#subscriber = new FakeSubscriber({ reading, highWaterMark: this.#highWaterMark });
    this.#checked = 0;
    this.#subscriber.belongsTo(hub.connections.open(this.#subscriber, null));
    this.connections.push({ hub, subscriber: this.#subscriber });
  }

  leave(): void {
    this.check();
    this.#subscriber?.leave();
    this.#gone();
  }

  async subscribe(items: readonly { channel: ChannelName; since: Position | undefined }[]): Promise<void> {
    const asked: Asked[] = [];
    for (const item of items) {
      const held = this.#states.get(item.channel);
      const reached = this.reached.get(item.channel);
      const holds = held?.known && held.epoch === item.since?.epoch && held.epoch === reached?.epoch;
      const state = item.since !== undefined && !(holds && item.since.offset <= reached.offset);
      asked.push({ ...item, truth: await this.#world.truth.truth(item.channel), atMost: 0, state });
    }
    const connection = this.#subscriber?.connection;
    if (!connection || connection.ended) return;
    const request = ++this.#lastRequest;
    // Something may have been appended while the others were asked.
    for (const each of asked) each.atMost = this.#world.truth.atMost(each.channel, each.truth.epoch);
    const unanswered = new Map(asked.map((each) => [each.channel, each]));
    this.#requests.set(request, { unanswered, closes: items.length > 1 ? "batch" : null });
    const batch: Batch = { request, unanswered: items.length };
    for (const { channel, since, state } of asked) {
      connection.subscribe(channel, { request, since, state, ...(items.length > 1 && { batch }) });
    }
  }

  unsubscribe(channel: ChannelName): void {
    const connection = this.#subscriber?.connection;
    if (!connection?.subscriptions.has(channel)) return;
    const request = ++this.#lastRequest;
    this.#requests.set(request, { unanswered: new Map(), closes: "unsubscribe", unsubscribes: channel });
    connection.unsubscribe(channel, request);
  }

  set reading(reading: Reading) {
    if (reading !== "at once") {
      this.#steady = false;
      for (const following of this.following.values()) following.keepsUp = false;
    }
    if (this.#subscriber) this.#subscriber.reading = reading;
  }

  read(bytes: number): void {
    this.#subscriber?.read(bytes);
  }

  /** Checks what has been read since the last time. */
  check(): void {
    const subscriber = this.#subscriber;
    if (!subscriber) return;
    for (; this.#checked < subscriber.frames.length; this.#checked++) {
      const frame = subscriber.frames[this.#checked];
      if (!frame) break;
      this.#frames.push(JSON.stringify(frame).slice(0, 160));
      this.#frame(frame);
    }
    if (subscriber.faults.length > 0) this.#fail(subscriber.faults.join("; "));
    if (subscriber.ended) this.#gone();
  }

  /** Everything is calm, and everybody has had time: it has to stand at the head of each of its channels. */
  async checkArrived(): Promise<void> {
    this.check();
    if (this.#requests.size > 0) this.#fail(`requests ${[...this.#requests.keys()]} were not answered`);
    for (const [name, { position }] of this.following) {
      const channel = name as ChannelName;
      const head = await this.#world.truth.truth(channel);
      const stands = `${position.epoch}:${position.offset}`;
      if (position.epoch !== head.epoch) this.#fail(`stands at ${stands}, ${name} at ${head.epoch}`);
      if (this.#skipOwn(channel, position.epoch, position.offset + 1) !== head.offset + 1) {
        this.#fail(`stands at ${stands}, and the head of ${name} is ${head.offset}`);
      }
      const held = this.#states.get(channel);
      const state = parse(this.#world.truth.stateAt(channel, head.epoch, head.offset));
      if (!isDeepStrictEqual(held?.value ?? null, state)) {
        this.#fail(`holds ${JSON.stringify(held)}, and the state of ${name} is ${JSON.stringify(state)}`);
      }
    }
  }

  #gone(): void {
    for (const [channel, { position }] of this.following) {
      this.reached.set(channel as ChannelName, position as Position);
    }
    this.following.clear();
    this.#requests.clear();
    this.#subscriber = null;
  }

  // ---- frames

  #frame(frame: Frame): void {
    switch (frame.type) {
      case "subscribed":
        this.#subscribed(frame);
        break;
      case "message":
        this.#message(frame);
        break;
      case "gap":
        this.#gap(frame);
        break;
      case "state":
        this.#state(frame);
        break;
      case "error":
        this.#refused(frame);
        break;
      case "ok":
        this.#ok(frame.request);
        break;
      case "answer":
        break;
    }
  }

  #take(request: number | undefined, channel: string): Asked {
    const found = request === undefined ? undefined : this.#requests.get(request);
    const asked = found?.unanswered.get(channel);
    if (request === undefined || !found || !asked)
      this.#fail(`request ${request} for ${channel} was not open`);
    found.unanswered.delete(channel);
    if (found.closes === null) this.#requests.delete(request);
    return asked;
  }

  #subscribed(frame: SubscribedFrame): void {
    const { channel, since, truth, atMost, state } = this.#take(frame.request, frame.channel);
    const { epoch, offset, head, recovered, reason } = frame;
    if (this.following.has(channel)) this.#fail("subscribed to what it was subscribed to");
    const newest = this.#world.truth.newest(channel, epoch);
    const rest = since && epoch !== since.epoch ? this.#world.rests?.newest(channel, since.epoch) : null;
    if (since && rest && this.#skipOwn(channel, since.epoch, since.offset + 1) <= rest) {
      this.#fail(`began in ${epoch}, and ${since.epoch} is held up to ${rest}`);
    }
    // The node may not have heard of a new log yet, but then it must not claim anything about a position.
    const ageOf = (each: string) => this.#world.truth.ageOf(channel, each);
    const isGone = ageOf(epoch) < ageOf(truth.epoch);
    // Of a log that went on, once or more often, the rest is given from there on, but never as all there is.
    const isAfter =
      since &&
      ageOf(since.epoch) >= 0 &&
      (epoch === since.epoch ? offset >= since.offset : ageOf(epoch) > ageOf(since.epoch));
    if (since && isGone && (recovered || !isAfter)) {
      this.#fail(`began in ${epoch}, which was gone`);
    }
    if (offset > head || head > newest)
      this.#fail(`head ${head} for offset ${offset}, and newest is ${newest}`);
    if (!since) {
      if (recovered || reason) this.#fail("no position was given");
      if (epoch === truth.epoch && offset > atMost) this.#fail(`the head was ${atMost} at most`);
    } else if (recovered) {
      if (reason || epoch !== since.epoch || offset !== since.offset) this.#fail("recovered something else");
      if (this.#world.truth.ageOf(channel, epoch) < 0) this.#fail("recovered from a made-up log");
    } else if (reason === "evicted") {
      if (epoch !== since.epoch || offset <= since.offset) this.#fail("evicted what comes before");
    } else {
      if (!reason || !STARTED_OVER.includes(reason)) this.#fail(`reason ${reason}`);
      const isNewest = this.#world.truth.isNewest(channel, epoch);
      if (epoch === since.epoch && since.offset <= truth.offset && epoch === truth.epoch && isNewest) {
        this.#fail("the position was good");
      }
    }
    this.#stateAtStart(frame, state);
    this.following.set(channel, {
      position: { epoch, offset },
      promised: recovered && epoch === truth.epoch ? truth : null,
      keepsUp: !since && this.#steady,
      waitedUntil: frame.stateOffset !== undefined && this.#world.truth.ageOf(channel, epoch) > 0 ? head : 0,
      time: 0,
    });
  }

  /** A newcomer is told the state, and nobody else unless it asked. */
  #stateAtStart(
    { channel, epoch, recovered, state, stateOffset = 0 }: SubscribedFrame,
    asked: boolean,
  ): void {
    if (recovered && !asked) {
      if (state !== undefined) this.#fail("was told the state unasked");
      return;
    }
    const value = state ?? null;
    if (state !== undefined && !isDeepStrictEqual(value, this.#trueState(channel, epoch, stateOffset))) {
      this.#fail(`the state after ${stateOffset} was another`);
    }
    this.#states.set(channel, { epoch, offset: stateOffset, value, known: true });
  }

  #state({ channel, from, offset, patch, value }: StateFrame): void {
    const { position } = this.#followed(channel);
    const { epoch } = position;
    // A whole value that builds on itself is said again, and is no step.
    const again = from === offset && value !== undefined;
    if (!again) {
      if (offset <= position.offset) this.#fail("a change that came too late");
      for (let at = position.offset + 1; at <= offset; at++) {
        const draft = this.#world.truth.appended(channel, epoch, at);
        if (!draft?.change && !this.#isOwn(channel, epoch, at)) this.#fail(`it hides message ${at}`);
      }
      position.offset = offset;
    }
    const held = this.#states.get(channel);
    const known = held?.known && held.epoch === epoch;
    if (known && offset <= held.offset) return;
    if (patch && from > 0 && !known) return;
    if (patch && known && from > held.offset) this.#fail(`a patch on ${from}, and it has ${held.offset}`);
    const base = from > 0 && known ? held.value : null;
    const next = patch ? applyMergePatch(base, patch) : (value ?? null);
    if (!isDeepStrictEqual(next, this.#trueState(channel, epoch, offset))) {
      this.#fail(`the state after ${offset} is not ${JSON.stringify(next)}`);
    }
    this.#states.set(channel, { epoch, offset, value: next, known: true });
  }

  #trueState(channel: string, epoch: string, offset: number): JsonObject | null {
    return parse(this.#world.truth.stateAt(channel, epoch, offset));
  }

  #message(frame: Extract<Frame, { type: "message" }>): void {
    const following = this.#followed(frame.channel);
    const { position } = following;
    const expected = this.#skipOwn(frame.channel, position.epoch, position.offset + 1, frame.offset);
    if (frame.offset !== expected) this.#fail(`message ${frame.offset} where ${expected} was to come`);
    const draft = this.#world.truth.appended(frame.channel, position.epoch, frame.offset);
    if (!draft || draft.change) this.#fail(`message ${frame.offset} was never appended`);
    if (draft.json !== JSON.stringify(frame.data) || draft.event !== frame.event) {
      this.#fail(`message ${frame.offset} was appended as ${draft.event} ${draft.json.slice(0, 40)}`);
    }
    if (draft.except !== undefined && draft.except === this.connectionId) this.#fail("heard itself");
    if (frame.id !== draft.idempotency?.key) this.#fail(`message ${frame.offset} has key ${frame.id}`);
    if (frame.time < following.time) this.#fail("time went back");
    following.time = frame.time;
    position.offset = frame.offset;
  }

  #gap(frame: Extract<Frame, { type: "gap" }>): void {
    const following = this.#followed(frame.channel);
    const { position, promised } = following;
    const { epoch, from, to, reason } = frame;
    const channel = frame.channel as ChannelName;
    const { truth } = this.#world;
    const held = this.#states.get(channel);
    if (held && reason !== "conflated") this.#states.set(channel, { ...held, known: false });
    if (to > truth.newest(channel, epoch)) this.#fail(`a gap beyond ${truth.newest(channel, epoch)}`);
    if (epoch !== position.epoch) {
      if (from !== 1 || to < 0 || !STARTED_OVER.includes(reason)) this.#fail("a new log begins otherwise");
      const later = truth.ageOf(channel, epoch) - truth.ageOf(channel, position.epoch);
      if (later <= 0) this.#fail("an older log");
      const rest = this.#world.rests?.newest(channel, position.epoch) ?? null;
      if (
        later === 1 &&
        rest !== null &&
        this.#skipOwn(channel, position.epoch, position.offset + 1) <= rest
      ) {
        this.#fail(`it went on to ${epoch}, and ${position.epoch} is held up to ${rest}`);
      }
      following.position = { epoch, offset: to };
      following.promised = null;
      return;
    }
    const expected = this.#skipOwn(channel, epoch, position.offset + 1, from);
    if (from !== expected || to < from) this.#fail(`a gap where ${expected} was to come`);
    if (reason === "conflated") this.#checkConflated(channel, epoch, from, to);
    else if (reason !== "evicted" && reason !== "too_slow") this.#fail(`a gap for ${reason}`);
    else if (following.keepsUp && this.#world.lossless && to > following.waitedUntil) {
      this.#fail("a gap for one that keeps up");
    }
    if (reason === "evicted") {
      if (this.#world.lossless) this.#fail("the node missed something, and nothing can get lost");
      if (promised && promised.epoch === epoch && from <= promised.offset) this.#fail("recovered was false");
    }
    position.offset = to;
  }

  #checkConflated(channel: ChannelName, epoch: string, from: number, to: number): void {
    const { truth, rules } = this.#world;
    const isChange = (at: number) => truth.appended(channel, epoch, at)?.change !== undefined;
    const ofChanges = Array.from({ length: to - from + 1 }, (_, index) => from + index).every(isChange);
    // Changes in an epoch from which the log went on are overtaken by the state of the next.
    if (ofChanges && !truth.isNewest(channel, epoch)) return;
    if (rules.of(channel).events !== "latest") this.#fail("the rule does not conflate");
    const newest = truth.newest(channel, epoch);
    for (let offset = from; offset <= to; offset++) {
      const eventAt = (at: number) => {
        const draft = truth.appended(channel, epoch, at);
        return draft?.change ? undefined : draft?.event;
      };
      const event = eventAt(offset);
      if (event === undefined) this.#fail(`conflated a change of the state, ${offset}`);
      let later = offset + 1;
      while (later <= newest && eventAt(later) !== event) later++;
      if (later > newest) this.#fail(`conflated the newest ${event}, ${offset}`);
    }
  }

  #refused(frame: Extract<Frame, { type: "error" }>): void {
    this.#take(frame.request, frame.channel);
    const allowed = ["already_subscribed", "not_subscribed", "unavailable"];
    if (!allowed.includes(frame.code)) this.#fail(`refused as ${frame.code}`);
  }

  #ok(request: number): void {
    const found = this.#requests.get(request);
    if (!found?.closes) this.#fail(`ok ${request} was not to come`);
    if (found.unanswered.size > 0) this.#fail("ok before all were answered");
    this.#requests.delete(request);
    const channel = found.unsubscribes;
    const following = channel && this.following.get(channel);
    if (!channel || !following) return;
    this.reached.set(channel, following.position as Position);
    this.following.delete(channel);
  }

  #followed(channel: string): Following {
    const following = this.following.get(channel);
    if (!following) this.#fail(`a frame of ${channel}, which is not subscribed to`);
    return following;
  }

  /** The next offset that is not kept from this connection. */
  #skipOwn(channel: string, epoch: string, offset: number, upTo = Number.POSITIVE_INFINITY): number {
    let next = offset;
    while (next < upTo && this.#isOwn(channel, epoch, next)) next++;
    return next;
  }

  #isOwn(channel: string, epoch: string, offset: number): boolean {
    const draft = this.#world.truth.appended(channel, epoch, offset);
    if (!draft || draft.change) return false;
    return draft.except !== undefined && draft.except === this.connectionId;
  }

  #fail(what: string): never {
    throw new Error(`${this.name}: ${what}\n    ${this.lately}`);
  }
}

function parse(json: string | null): JsonObject | null {
  return json === null ? null : JSON.parse(json);
}
