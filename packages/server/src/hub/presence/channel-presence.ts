/**
 * The presence of one channel on this node: which of its subscriptions are whose, who is there besides on other nodes, and when those
 * who may see it are told. Knows no grants and no protocol.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Clock, Timer } from "../../base/clock.js";
import type { Subscription } from "../delivery/subscription.js";
import type { Counters } from "../terms/counters.js";
import type { Attendance, Attendant, Present } from "../terms/member.js";
import type { PresenceRule } from "../terms/rules.js";
import type { PresenceNews } from "../terms/subscriber.js";
import type { ListQueue } from "./list-queue.js";
import { type Room, Roster } from "./roster.js";
import { type Watched, Watchers } from "./watchers.js";

/** The most characters of names in one frame of changes; when there are more, only the count is told, and lists follow later. */
const CHANGES_BYTES = 16 * 1024;
/** A list up to this long is part of the answer to a subscribe. */
const ANSWER_BYTES = 16 * 1024;
/** The most characters of one page of a longer list. */
const PAGE_BYTES = 60 * 1024;
/** Names are told again when there are this many fewer members than may be listed, otherwise it would go to and fro. */
const LISTED_AGAIN = 0.9;

/** The parts of the node that the presence of a channel needs. */
export interface PresenceHost {
  readonly node: string;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly room: Room;
  readonly lists: ListQueue;
  /** The last connection of a member has ended: answers with the time when `graceOver` will be called. */
  leaving(presence: ChannelPresence, id: string): number;
  /** Somebody of this node has come, or is another. */
  came(channel: ChannelName, present: Present): void;
  /** Somebody of this node has gone. */
  gone(channel: ChannelName, id: string): void;
  /** It has no members any more. */
  deserted(presence: ChannelPresence): void;
}

/** A member with connections to this node. */
interface Own {
  present: Present;
  /** How many subscriptions are his. */
  subscriptions: number;
  /** When he will be gone unless he comes back; monotonic. */
  leavesAt: number | null;
}

export class ChannelPresence implements Watched {
  readonly channel: ChannelName;
  readonly roster: Roster;
  announcements = 0;
  #rule: PresenceRule;
  readonly #host: PresenceHost;
  readonly #watchers: Watchers;
  readonly #own = new Map<string, Own>();
  readonly #attending = new Map<Subscription, Own>();
  /** Are names told? */
  #named: boolean;
  /** Who was given the list since the last announcement; `null` when there were others beside. */
  #listed: Set<Subscription> | null = new Set();
  /** The count that was announced last. */
  #announced = 0;
  #timer: Timer | null = null;

  constructor(channel: ChannelName, rule: PresenceRule, host: PresenceHost) {
    this.channel = channel;
    this.#rule = rule;
    this.#host = host;
    this.roster = new Roster(host.room);
    this.#watchers = new Watchers(this, host.lists, host.counters);
    this.#named = rule.maxListed > 0;
  }

  get rule(): PresenceRule {
    return this.#rule;
  }
  set rule(rule: PresenceRule) {
    this.#rule = rule;
    this.#announceSoon();
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Those whom this node tells others of. */
  *own(): Iterable<Present> {
    for (const { present } of this.#own.values()) yield present;
  }

  // ---- subscriptions

  /** A subscription stands. Answers with what it is told of those who are there, as JSON text; nothing where it may not see it. */
  begin(subscription: Subscription, { attendant, watches }: Attendance): string | undefined {
    if (attendant) this.#attend(subscription, attendant);
    if (!watches || !subscription.connection.subscriber.encoding.presence) return undefined;
    const { count } = this.roster;
    const fits = this.#named && this.roster.bytes <= ANSWER_BYTES;
    this.#watchers.add(subscription, this.#named && !fits);
    if (fits) this.#listed?.add(subscription);
    if (!fits) return `{"count":${count}}`;
    return `{"count":${count},"members":${this.roster.list(Number.POSITIVE_INFINITY)[0]}}`;
  }

  /** Who has it is another to the application now, has logged in or out, or may see other things. */
  change(subscription: Subscription, { attendant, watches }: Attendance): void {
    const own = this.#attending.get(subscription);
    if (own && attendant && attendant.id !== own.present.id) {
      // The one comes before the other goes, so that the channel is never deserted in between.
      this.#attending.delete(subscription);
      this.#attend(subscription, attendant);
      if (--own.subscriptions === 0) this.#leave(own.present.id);
    } else if (own && attendant) this.#inform(subscription, attendant);
    if (watches === this.#watchers.has(subscription)) return;
    if (!watches) this.#watchers.delete(subscription);
    else if (subscription.connection.subscriber.encoding.presence) this.#watchers.add(subscription, true);
  }

  /** A subscription is over: at once where that was asked for, after a grace where its connection ended. */
  end(subscription: Subscription): void {
    this.#watchers.delete(subscription);
    if (this.#listed?.delete(subscription) && this.#listed.size === 0) this.roster.untell();
    const own = this.#attending.get(subscription);
    this.#attending.delete(subscription);
    if (own && --own.subscriptions === 0) {
      const { id } = own.present;
      if (subscription.connection.ended) own.leavesAt = this.#host.leaving(this, id);
      else this.#leave(id);
    }
    this.#lookWhetherDeserted();
  }

  /** Somebody's grace is over: he has gone, unless he has come back in between. */
  graceOver(id: string, at: number): void {
    if (this.#own.get(id)?.leavesAt === at) this.#leave(id);
  }

  #leave(id: string): void {
    this.#own.delete(id);
    this.roster.delete(this.#host.node, id);
    this.#host.gone(this.channel, id);
    this.changed();
  }

  /** The rule is another: here are no members to be seen any more. */
  stop(): void {
    this.#watchers.clear();
    this.#attending.clear();
    for (const id of [...this.#own.keys()]) this.#leave(id);
    this.close();
    this.#host.room.used -= this.roster.count;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  // ---- announcing

  /** The roster has changed. */
  changed(): void {
    if (this.roster.changed) this.#announceSoon();
    this.#lookWhetherDeserted();
  }

  get listBytes(): number {
    return this.#named ? this.roster.bytes : 0;
  }

  list(): readonly PresenceNews[] {
    const { channel } = this;
    const { count } = this.roster;
    if (!this.#named) return [{ channel, count }];
    this.#listed = null;
    const pages = this.roster.list(PAGE_BYTES);
    return pages.map((members, page) => ({
      channel,
      count,
      members,
      page,
      more: page + 1 < pages.length,
    }));
  }

  #attend(subscription: Subscription, attendant: Attendant): void {
    const known = this.#own.get(attendant.id);
    const own = known ?? this.#newcomer(attendant);
    if (!own) return;
    own.subscriptions++;
    own.leavesAt = null;
    this.#attending.set(subscription, own);
    if (known) this.#inform(subscription, attendant);
  }

  /** `null` when there is no room for one more. */
  #newcomer(attendant: Attendant): Own | null {
    const now = this.#host.clock.now();
    // He may have come from another node.
    const since = this.roster.since(attendant.id) ?? now;
    const own = { present: { ...attendant, since, at: now }, subscriptions: 0, leavesAt: null };
    if (!this.roster.put(this.#host.node, own.present)) return null;
    this.#own.set(attendant.id, own);
    this.#host.came(this.channel, own.present);
    this.changed();
    return own;
  }

  #inform(subscription: Subscription, attendant: Attendant): void {
    const own = this.#attending.get(subscription);
    if (!own || own.present.id !== attendant.id || own.present.info === attendant.info) return;
    own.present = { ...attendant, since: own.present.since, at: this.#host.clock.now() };
    this.roster.put(this.#host.node, own.present);
    this.#host.came(this.channel, own.present);
    this.changed();
  }

  #announceSoon(): void {
    if (this.#timer) return;
    this.#timer = this.#host.clock.after(this.#rule.intervalMs, () => {
      this.#timer = null;
      this.#announce();
    });
  }

  /** Everything that has changed in the interval, as one frame for all. */
  #announce(): void {
    const { channel } = this;
    const { count } = this.roster;
    const { maxListed } = this.#rule;
    const calm = this.roster.take(CHANGES_BYTES);
    const wasNamed = this.#named;
    this.#listed = new Set();
    const few = count <= (wasNamed ? maxListed : maxListed * LISTED_AGAIN);
    this.#named = calm !== null && few && maxListed > 0;
    const countIsNews = count !== this.#announced;
    this.#announced = count;
    if (this.#named && wasNamed && calm) {
      const { joined, left } = calm;
      if (joined === "[]" && left === "[]") return;
      this.announcements++;
      this.#watchers.write({
        channel,
        count,
        ...(joined !== "[]" && { joined }),
        ...(left !== "[]" && { left }),
      });
    } else if (this.#named) {
      this.announcements++;
      this.#watchers.oweAll({ channel, count });
    } else {
      if (countIsNews || wasNamed) {
        this.announcements++;
        this.#watchers.write({ channel, count });
      }
      // Names are told again after an interval in which less happened.
      if (calm === null) this.#announceSoon();
    }
  }

  #lookWhetherDeserted(): void {
    if (this.roster.count > 0 || this.#own.size > 0 || this.#watchers.size > 0) return;
    this.close();
    this.#host.deserted(this);
  }
}
