/**
 * Who is present on which channels: of this node and, by what nodes tell each other, of all. Being present is having a subscription to
 * a channel whose rule says so. Costs nothing where no rule does.
 */
import { type ChannelName, FanfareError } from "@fanfare/protocol";
import type { Clock } from "../../clock.js";
import type { Engine } from "../../engine/engine.js";
import { FirstNames } from "../../engine/first-names.js";
import type { PayloadChecks } from "../admission.js";
import type { Counters } from "../counters.js";
import type { Rules } from "../rules.js";
import type { Subscription } from "../subscription.js";
import { ChannelPresence, type PresenceHost } from "./channel-presence.js";
import { ListQueue } from "./list-queue.js";
import type { Attendance, Member, Present } from "./member.js";
import type { Whole } from "./peer.js";
import { type Change, Peers, type PeersHost } from "./peers.js";
import type { Room } from "./roster.js";

/** For so long after the end of his last connection somebody is still present, so that loading a page anew is no event. */
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
  /** What channels carry. @default whatever JSON has */
  readonly checks?: PayloadChecks | undefined;
}

/** A part of the list of those who are present, by their ids. */
export interface PresencePage {
  readonly count: number;
  readonly members: readonly Member[];
  /** The last id, where there are more. */
  readonly next: string | null;
}

/** Somebody whose last connection has ended. */
interface Leaving {
  readonly presence: ChannelPresence;
  readonly id: string;
  readonly at: number;
}

export class Presence implements PresenceHost, PeersHost {
  readonly node: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly room: Room;
  readonly lists: ListQueue;
  readonly #rules: Rules;
  readonly #checks: PayloadChecks | undefined;
  readonly #channels = new Map<ChannelName, ChannelPresence>();
  /** In the order in which their grace ends. */
  #leaving: Leaving[] = [];
  #peers: Peers | null = null;
  #closed = false;

  constructor({ node, engine, rules, clock, counters, maxMembers, checks }: PresenceParts) {
    this.node = node;
    this.engine = engine;
    this.clock = clock;
    this.counters = counters;
    this.room = { used: 0, most: maxMembers };
    this.lists = new ListQueue(clock);
    this.#rules = rules;
    this.#checks = checks;
    if (rules.somePresence) this.#peers = new Peers(this);
  }

  // ---- subscriptions

  /** A subscription stands. Answers with what it is told of those who are there, as JSON text; nothing where it may not see it. */
  begin(subscription: Subscription, attendance: Attendance): string | undefined {
    const { name } = subscription.channel;
    const { presence: rule } = this.#rules.of(name);
    return rule ? this.#open(name, rule).begin(subscription, this.#shown(name, attendance)) : undefined;
  }

  /** Its connection is another to the application now, or may see other things. */
  change(subscription: Subscription, attendance: Attendance): void {
    const { name } = subscription.channel;
    this.#channels.get(name)?.change(subscription, this.#shown(name, attendance));
  }

  end(subscription: Subscription): void {
    this.#channels.get(subscription.channel.name)?.end(subscription);
  }

  /**
   * Who is on a channel, by their ids, after one of them or from the first on.
   *
   * @throws FanfareError `not_configured` where the rule of the channel has no presence
   */
  page(channel: ChannelName, after: string | null, limit: number): PresencePage {
    if (!this.#rules.of(channel).presence) {
      throw new FanfareError(
        "not_configured",
        `nobody is present on ${channel}, because its rule has no presence`,
        {
          remedy: "Set presence: true in the rule for this channel.",
        },
      );
    }
    const roster = this.#channels.get(channel)?.roster;
    if (!roster) return { count: 0, members: [], next: null };
    const names = new FirstNames<string>(limit + 1);
    for (const id of roster.ids()) if (after === null || id > after) names.offer(id);
    const found = names.take();
    const shown = found.slice(0, limit);
    const members = shown.map((id) => JSON.parse(roster.text(id) ?? "null") as Member);
    return { count: roster.count, members, next: found.length > limit ? (shown.at(-1) ?? null) : null };
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
