/**
 * One channel of a client: what the server said about it, and the handlers that share its subscription. Each handler has a
 * position of its own, so that each gets every message exactly once, whenever it joined.
 */

import type { GapReason, JsonObject } from "@fanfare/protocol";
import { applyMergePatch, type StateFrame } from "@fanfare/protocol";
import type { ClientError } from "./client-error.js";
import type { Delivery, Listener } from "./listener.js";
import { Follower, type PresenceNews } from "./presence.js";
import type { Position, Presence } from "./types.js";

/**
 * `wanted`: to be subscribed as soon as there is a connection. `asked`: the request with that number is on its way. `live`: the server
 * has said where delivery starts. `refused`: the server said no; the client asks again after a reconnect, and when `again` has come:
 * a while, room for another subscription, or another grant.
 */
export type ChannelStatus =
  | { readonly kind: "wanted" | "live" }
  | { readonly kind: "asked"; readonly request: number; readonly since: Position | null }
  | { readonly kind: "refused"; readonly again: Again | null; readonly error: ClientError };

export type Again = "later" | "room" | "grant";

/** The parts of a `subscribed` frame that matter here. */
export interface SubscribedFrame extends Position {
  /** Absent when the server subscribed by itself. */
  readonly request?: number;
  readonly head: number;
  readonly recovered: boolean;
  readonly reason?: GapReason;
  readonly state?: JsonObject | null;
  readonly stateOffset?: number;
  readonly presence?: PresenceNews;
}

export class Channel {
  readonly name: string;
  readonly listeners = new Set<Listener>();
  #status: ChannelStatus = { kind: "wanted" };
  /** Frames of this channel are meant for us; also while an earlier position is asked for. */
  #hearing = false;
  /** What the server has given; when not live, the last that was heard. */
  #position: Position | null = null;
  /** The newest offset when the subscription began. */
  #head = 0;
  #state: JsonObject | null = null;
  /** The offset of the change that made the state; -1 while a change of it may have been missed. */
  #stateOffset = -1;
  #follower: Follower | null = null;
  #presence: Presence | null = null;
  /** Why an earlier answer to the same question could not go on. */
  #reason: GapReason | null = null;
  /** The refusal that the handlers were told of last, while it lasts. */
  #told: string | null = null;

  constructor(name: string) {
    this.name = name;
  }

  get status(): ChannelStatus {
    return this.#status;
  }

  /** Where to go on: the position of the handler that is furthest back; `null` when none has one. */
  get since(): Position | null {
    let since: Position | null = null;
    for (const { position } of this.listeners) {
      if (!position) continue;
      // Of positions in two logs only one can be honoured; the answer shows whether it was the right one.
      const better =
        !since ||
        (position.epoch === since.epoch
          ? position.offset < since.offset
          : position.epoch === this.#position?.epoch);
      if (better) since = position;
    }
    return since;
  }

  /** What a refused channel waits for, until it is asked for again. */
  get again(): Again | null {
    return this.#status.kind === "refused" ? this.#status.again : null;
  }

  get state(): JsonObject | null {
    return this.#state;
  }

  get stateVersion(): Position | null {
    if (!this.#state || !this.#position || this.#stateOffset < 0) return null;
    return { epoch: this.#position.epoch, offset: this.#stateOffset };
  }

  /** The members, as far as the server tells them. */
  get presence(): Presence | null {
    return this.#presence;
  }

  /** Must the server tell the state to who goes on from here? What it holds may be older than that. */
  lacksState({ epoch, offset }: Position): boolean {
    const here = this.#position;
    return this.#stateOffset < 0 || here?.epoch !== epoch || offset > here.offset;
  }

  asked(request: number, since: Position | null): void {
    this.#status = { kind: "asked", request, since };
  }

  /** To be asked for. What still comes for the subscription that was is heard until the answer is here. */
  wanted(): void {
    this.#status = { kind: "wanted" };
  }

  /** Tells the handlers, of a refusal that passes only once. @param quiet tells only those that listen for errors */
  refused(error: ClientError, again: Again | null, quiet = false): void {
    this.#hearing = false;
    this.#status = { kind: "refused", again, error };
    if (again !== "grant" && again && this.#told === error.code) return;
    this.#told = error.code;
    for (const listener of [...this.listeners]) listener.failed(error, quiet);
  }

  disconnected(): void {
    this.#hearing = false;
    // Of what was not granted the server would bear only some.
    if (this.again !== "grant") this.wanted();
  }

  /**
   * The handlers that joined while the channel was live go on from here.
   *
   * @returns false when one needs what came before, so that the server has to be asked again
   */
  begin(): boolean {
    const here = this.#position;
    if (this.#status.kind !== "live" || !here) return true;
    const joined = [...this.listeners].filter(({ begun }) => !begun);
    for (const { position } of joined) {
      if (position && (position.epoch !== here.epoch || position.offset < here.offset)) return false;
    }
    const head = Math.max(this.#head, here.offset);
    for (const listener of joined) {
      listener.subscribed(here, head, listener.position !== null, null);
      listener.state(this.#state);
      listener.presence(this.#presence);
    }
    return true;
  }

  /**
   * The server says where delivery starts.
   *
   * @returns false when a handler could have more than that, so that the server has to be asked again
   */
  subscribed({ request, epoch, offset, head, recovered, reason, ...rest }: SubscribedFrame): boolean {
    const asked =
      this.#status.kind === "asked" && this.#status.request === request ? this.#status.since : null;
    const { state, stateOffset = 0, presence } = rest;
    if (state !== undefined || !recovered || this.lacksState({ epoch, offset })) {
      this.#state = state ?? null;
      this.#stateOffset = stateOffset;
    }
    this.#position = { epoch, offset };
    this.#head = head;
    const why = reason ?? this.#reason;
    // What lies before this was asked for, and is not to be had.
    const start = asked?.epoch === epoch ? Math.min(asked.offset, offset) : offset;
    for (const { position } of this.listeners) {
      if (position?.epoch === epoch && position.offset < start) {
        this.#reason = why;
        this.#hearing = false;
        return false;
      }
    }
    this.#reason = null;
    this.#hearing = true;
    this.#follower = presence ? new Follower() : null;
    this.#presence = presence && this.#follower ? this.#follower.hear(presence) : null;
    this.#status = { kind: "live" };
    this.#told = null;
    for (const listener of [...this.listeners]) {
      listener.subscribed({ epoch, offset }, head, recovered, why);
      listener.state(this.#state);
      listener.presence(this.#presence);
    }
    return true;
  }

  /** Others have come or gone. Told while the subscription lives, too, when the page may see it from now on. */
  present(news: PresenceNews): void {
    if (!this.#hearing) return;
    this.#follower ??= new Follower();
    const presence = this.#follower.hear(news);
    if (!presence) return;
    this.#presence = presence;
    for (const listener of [...this.listeners]) if (listener.begun) listener.presence(presence);
  }

  deliver(delivery: Delivery): void {
    if (!this.#hearing || !this.#position) return;
    const before = this.#position.epoch;
    this.#position =
      delivery.type === "gap"
        ? { epoch: delivery.epoch, offset: delivery.to }
        : { epoch: before, offset: delivery.offset };
    const { epoch } = this.#position;
    // Offsets of the log before say nothing of this one.
    if (epoch !== before) this.#head = 0;
    if (delivery.type === "gap" && delivery.reason !== "conflated") this.#stateOffset = -1;
    for (const listener of [...this.listeners]) if (listener.begun) listener.deliver(delivery, epoch);
  }

  /**
   * The state changed, or is said again; see PROTOCOL.md, section 5.6.
   *
   * @returns false when a change of it was missed, so that the server has to be asked again
   */
  changed({ from, offset, patch, value }: StateFrame): boolean {
    const position = this.#position;
    if (!this.#hearing || !position) return true;
    const isKnown = this.#stateOffset >= 0;
    if (patch && isKnown && from > this.#stateOffset) {
      this.#stateOffset = -1;
      return false;
    }
    const before = this.#state;
    if (offset > this.#stateOffset && (!patch || isKnown || from === 0)) {
      this.#state = patch ? applyMergePatch(from === 0 ? null : before, patch) : (value ?? null);
      this.#stateOffset = offset;
    }
    if (from !== offset) this.#position = { epoch: position.epoch, offset };
    for (const listener of [...this.listeners]) {
      if (!listener.begun) continue;
      if (this.#position) listener.reached(this.#position);
      // What builds on nothing is another state altogether.
      listener.state(this.#state, from === 0 ? null : (patch ?? null), before);
    }
    return true;
  }
}
