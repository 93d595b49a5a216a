/**
 * The members present on each channel: of this node and, by what nodes tell each other, of all. Being present is having a subscription to
 * a channel whose rule says so. Costs nothing where no rule does.
 */
import { type ChannelName, FanfareError, type Member } from "@fanfare/protocol";
import type { Clock } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { Slices } from "../../base/slices.js";
import type { Engine } from "../../engine/engine.js";
import { FirstNames } from "../../engine/first-names.js";
import type { Attending, Subscription } from "../delivery/subscription.js";
import type { Counters } from "../terms/counters.js";
import type { Attendance, Present } from "../terms/member.js";
import type { PayloadChecks } from "../terms/payload-checks.js";
import type { Rules } from "../terms/rules.js";
import { ChannelPresence, type PresenceHost } from "./channel-presence.js";
import { ListQueue } from "./list-queue.js";
import type { Whole } from "./peer.js";
import { type Change, Peers, type PeersHost } from "./peers.js";
import type { Room } from "./roster.js";

/** For this long after the end of their last connection a member is still present, so that loading a page anew is no event. */
export const PRESENCE_GRACE_MS = 10_000;

export interface PresenceParts {
  /** The name of this node, another one for each process. */
  readonly node: string;
  readonly engine: Engine;
  readonly rules: Rules;
  readonly clock: Clock;
  readonly counters: Counters;
  /** How many members there may be on all channels together. */
  readonly maxMembers: number;
  readonly failures: Failures;
  /** For lists of many members. */
  readonly slices: Slices;
  /** The payloads of channels. @default whatever JSON has */
  readonly checks?: PayloadChecks | undefined;
}

/** A part of the list of those who are present, by their ids. */
export interface PresencePage {
  readonly count: number;
  readonly members: readonly Member[];
  /** The last id, where there are more. */
  readonly next: string | null;
}

/** A page ends when it has this many bytes as JSON, whatever was asked for: it has to fit into one answer. */
const PRESENCE_PAGE_BYTES = 1024 * 1024;

/** Somebody whose last connection has ended. */
interface Leaving {
  readonly presence: ChannelPresence;
  readonly id: string;
  readonly at: number;
}

export class Presence implements Attending, PresenceHost, PeersHost {
  readonly node: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly failures: Failures;
  readonly room: Room;
  readonly lists: ListQueue;
  readonly #rules: Rules;
  readonly #checks: PayloadChecks | undefined;
  readonly #slices: Slices;
  readonly #channels = new Map<ChannelName, ChannelPresence>();
  /** In the order in which their grace ends. */
  #leaving: Leaving[] = [];
  #peers: Peers | null = null;
  #closed = false;

  constructor(parts: PresenceParts) {
    const { node, engine, rules, clock, counters, failures, maxMembers, checks, slices } = parts;
    this.node = node;
    this.engine = engine;
    this.clock = clock;
    this.counters = counters;
    this.failures = failures;
    this.room = { used: 0, most: maxMembers };
    this.lists = new ListQueue(clock);
    this.#rules = rules;
    this.#checks = checks;
    this.#slices = slices;
    if (rules.somePresence) this.#peers = new Peers(this);
  }

  /** How many channels it looks after: those where somebody is present, or looks who is. */
  get size(): number {
    return this.#channels.size;
  }

  // ---- subscriptions

  begin(subscription: Subscription, attendance: Attendance): string | undefined {
    const { name } = subscription.channel;
    const { presence: rule } = this.#rules.of(name);
    return rule ? this.#open(name, rule).begin(subscription, this.#shown(name, attendance)) : undefined;
  }

  change(subscription: Subscription, attendance: Attendance): void {
    const { name } = subscription.channel;
    this.#channels.get(name)?.change(subscription, this.#shown(name, attendance));
  }

  end(subscription: Subscription): void {
    this.#channels.get(subscription.channel.name)?.end(subscription);
  }

  /**
   * The number of members on a channel.
   *
   * @throws FanfareError `not_configured` where the rule of the channel has no presence
   */
  count(channel: ChannelName): number {
    this.#checkFollowed(channel);
    return this.#channels.get(channel)?.roster.count ?? 0;
  }

  /**
   * The members on a channel, by their ids, after one of them or from the first on.
   *
   * @throws FanfareError `not_configured` where the rule of the channel has no presence
   */
  async page(channel: ChannelName, after: string | null, limit: number): Promise<PresencePage> {
    this.#checkFollowed(channel);
    const roster = this.#channels.get(channel)?.roster;
    if (!roster) return { count: 0, members: [], next: null };
    const names = new FirstNames<string>(limit + 1);
    await this.#slices.each(roster.ids(), (id) => {
      if (after === null || id > after) names.offer(id);
    });
    const found = names.take();
    const members: Member[] = [];
    let bytes = 0;
    let last: string | undefined;
    for (const id of found.slice(0, limit)) {
      // Somebody may have left meanwhile.
      const text = roster.text(id);
      bytes += text?.length ?? 0;
      if (bytes > PRESENCE_PAGE_BYTES && members.length > 0) break;
      if (text !== undefined) members.push(JSON.parse(text) as Member);
      last = id;
    }
    const next = last === found.at(-1) ? null : (last ?? null);
    return { count: roster.count, members, next };
  }

  // ---- time

  tick(now: number): void {
    let over = 0;
    for (const { presence, id, at } of this.#leaving) {
      if (now < at) break;
      over++;
      if (this.#channels.get(presence.channel) === presence) presence.graceOver(id, at);
    }
    if (over > 0) this.#leaving = this.#leaving.slice(over);
    this.#peers?.tick(now);
  }

  rulesChanged(): void {
    if (this.#rules.somePresence) this.#peers ??= new Peers(this);
    for (const [channel, presence] of this.#channels) {
      const { presence: rule } = this.#rules.of(channel);
      if (rule) presence.rule = rule;
      else {
        presence.stop();
        this.deserted(presence);
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.#peers?.close();
    this.lists.clear();
    for (const presence of this.#channels.values()) presence.close();
    this.#channels.clear();
    this.#leaving = [];
  }

  // ---- what channels ask

  leaving(presence: ChannelPresence, id: string): number {
    const at = this.clock.monotonic() + PRESENCE_GRACE_MS;
    this.#leaving.push({ presence, id, at });
    return at;
  }

  came(channel: ChannelName, present: Present): void {
    this.#peers?.changed({ channel, id: present.id, present });
  }

  gone(channel: ChannelName, id: string): void {
    this.#peers?.changed({ channel, id });
  }

  deserted(presence: ChannelPresence): void {
    if (this.#channels.get(presence.channel) === presence) this.#channels.delete(presence.channel);
  }

  // ---- what other nodes say

  *own(): Iterable<{ readonly channel: ChannelName; readonly present: Present }> {
    for (const [channel, presence] of this.#channels) {
      for (const present of presence.own()) yield { channel, present };
    }
  }

  heard(node: string, { channel, id, present }: Change): void {
    const known = this.#channels.get(channel);
    if (present) {
      const { presence: rule } = this.#rules.of(channel);
      if (!rule) return;
      const presence = known ?? this.#open(channel, rule);
      presence.roster.put(node, present);
      presence.changed();
    } else if (known) {
      known.roster.delete(node, id);
      known.changed();
    }
  }

  heardAll(node: string, members: Whole): void {
    const ids = new Map<ChannelName, Set<string>>();
    for (const { channel, present } of members) {
      const known = ids.get(channel);
      if (known) known.add(present.id);
      else ids.set(channel, new Set([present.id]));
    }
    for (const [channel, presence] of this.#channels) {
      presence.roster.keepOf(node, ids.get(channel) ?? NO_IDS);
      presence.changed();
    }
    for (const { channel, present } of members) this.heard(node, { channel, id: present.id, present });
  }

  #checkFollowed(channel: ChannelName): void {
    if (this.#rules.of(channel).presence) return;
    throw new FanfareError("not_configured", `the rule of ${channel} has no presence`, {
      remedy: "Set presence: true in the rule for this channel.",
    });
  }

  /** Without what is said about a member, where that is nothing that the channel shows. */
  #shown(channel: ChannelName, attendance: Attendance): Attendance {
    const { attendant } = attendance;
    if (!this.#checks || attendant?.info === undefined) return attendance;
    const { info, ...unsaid } = attendant;
    return this.#checks.info(channel, JSON.parse(info)) ? attendance : { ...attendance, attendant: unsaid };
  }

  #open(channel: ChannelName, rule: ChannelPresence["rule"]): ChannelPresence {
    const known = this.#channels.get(channel);
    if (known) return known;
    const presence = new ChannelPresence(channel, rule, this);
    if (!this.#closed) this.#channels.set(channel, presence);
    return presence;
  }
}

const NO_IDS: ReadonlySet<string> = new Set();
