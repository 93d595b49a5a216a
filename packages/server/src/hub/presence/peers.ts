/**
 * The talk of nodes about the members present. Each node speaks of its own members only: it numbers its changes, and says now and then
 * which number it has reached. A node that lacks one asks for the whole. So signals may be late, double, out of order or lost, and all nodes
 * come to the same answer; a node that is not heard any more is gone with its members.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Clock, Timer } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { Engine } from "../../engine/engine.js";
import type { Present } from "../terms/member.js";
import { Peer, type Whole } from "./peer.js";

const TOPIC = "presence";
/** Changes within this time are told together. */
const TELL_AFTER_MS = 100;
const BEAT_EVERY_MS = 3000;
/** A node that has said nothing for this long is gone. */
const GONE_AFTER_MS = 15_000;
/** The whole is told at most this often, for all requests together. */
const WHOLE_EVERY_MS = 1000;
/** The most members in one signal. */
const SIGNAL_MEMBERS = 200;
/** More nodes are not listened to. */
const MAX_PEERS = 1000;

/** A change of one member; without `present` he has gone. */
export interface Change {
  readonly channel: ChannelName;
  readonly id: string;
  readonly present?: Present;
}

export type Signal = { readonly node: string; readonly number: number } & (
  | { readonly kind: "beat" }
  | { readonly kind: "changes"; readonly changes: readonly Change[] }
  /** The node `of` is asked for the whole. */
  | { readonly kind: "ask"; readonly of: string }
  | { readonly kind: "whole"; readonly part: number; readonly parts: number; readonly members: Whole }
);

export interface PeersHost {
  readonly node: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly failures: Failures;
  /** The members of this node. */
  own(): Iterable<{ readonly channel: ChannelName; readonly present: Present }>;
  /** A node says this of a member. */
  heard(node: string, change: Change): void;
  /** A node says that these are all of its members; of none when it is gone. */
  heardAll(node: string, members: Whole): void;
}

export class Peers {
  readonly #host: PeersHost;
  readonly #peers = new Map<string, Peer>();
  readonly #stopListening: () => void;
  /** The number of the last change of this node. */
  #number = 0;
  /** By channel and id: only the last of several changes counts. */
  #untold = new Map<string, Change>();
  #telling: Timer | null = null;
  #beatAt = Number.NEGATIVE_INFINITY;
  #wholeAt = Number.NEGATIVE_INFINITY;
  #wholeWanted = false;
  #closed = false;

  constructor(host: PeersHost) {
    this.#host = host;
    const hear = (json: string) => this.#hear(JSON.parse(json) as Signal);
    this.#stopListening = host.engine.signals.on(TOPIC, host.failures.guarded("hub", hear));
  }

  /** How many other nodes there are. */
  get size(): number {
    return this.#peers.size;
  }

  /** A member of this node has come, is another, or has gone. */
  changed(change: Change): void {
    // Without another node, it says nothing; a node that comes later sees by the number what it lacks.
    if (this.#peers.size === 0) {
      this.#number++;
      return;
    }
    this.#untold.set(`${change.channel} ${change.id}`, change);
    this.#telling ??= this.#host.clock.after(TELL_AFTER_MS, () => this.#tell());
  }

  /** To be called every second or so. */
  tick(now: number): void {
    if (now - this.#beatAt >= BEAT_EVERY_MS) {
      this.#beatAt = now;
      this.#send({ kind: "beat", ...this.#signature });
    }
    if (this.#wholeWanted && now - this.#wholeAt >= WHOLE_EVERY_MS) this.#tellAll(now);
    for (const peer of this.#peers.values()) {
      if (now - peer.heardAt < GONE_AFTER_MS) continue;
      this.#peers.delete(peer.node);
      this.#host.heardAll(peer.node, []);
    }
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    this.#telling?.cancel();
  }

  get #signature() {
    return { node: this.#host.node, number: this.#number };
  }

  #tell(): void {
    this.#telling?.cancel();
    this.#telling = null;
    const changes = [...this.#untold.values()];
    this.#untold = new Map();
    for (let start = 0; start < changes.length; start += SIGNAL_MEMBERS) {
      this.#number++;
      const some = changes.slice(start, start + SIGNAL_MEMBERS);
      this.#send({ kind: "changes", ...this.#signature, changes: some });
    }
  }

  #tellAll(now: number): void {
    this.#wholeWanted = false;
    this.#wholeAt = now;
    // With what has not been told yet, so that the number says exactly what the whole is.
    this.#tell();
    const all = [...this.#host.own()];
    const parts = Math.max(1, Math.ceil(all.length / SIGNAL_MEMBERS));
    for (let part = 0; part < parts; part++) {
      const members = all.slice(part * SIGNAL_MEMBERS, (part + 1) * SIGNAL_MEMBERS);
      this.#send({ kind: "whole", ...this.#signature, part, parts, members });
    }
  }

  #hear(signal: Signal): void {
    if (signal.node === this.#host.node || this.#closed) return;
    const now = this.#host.clock.monotonic();
    const peer = this.#peer(signal.node, now);
    if (!peer) return;
    peer.heardAt = now;
    switch (signal.kind) {
      case "beat":
        peer.beat(signal.number);
        break;
      case "changes":
        peer.changes(signal.number, signal.changes);
        break;
      case "whole":
        peer.whole(signal.number, signal.part, signal.parts, signal.members);
        break;
      case "ask":
        if (signal.of === this.#host.node) {
          this.#wholeWanted = true;
          if (now - this.#wholeAt >= WHOLE_EVERY_MS) this.#tellAll(now);
        }
    }
    if (peer.lacks && now - peer.askedAt >= WHOLE_EVERY_MS) {
      peer.askedAt = now;
      this.#send({ kind: "ask", ...this.#signature, of: peer.node });
    }
  }

  #peer(node: string, now: number): Peer | null {
    const known = this.#peers.get(node);
    if (known) return known;
    if (this.#peers.size >= MAX_PEERS) return null;
    const peer = new Peer(node, now, this.#host);
    this.#peers.set(node, peer);
    // It learns at once that it is not alone.
    this.#send({ kind: "beat", ...this.#signature });
    return peer;
  }

  /** The numbers show when something gets lost. */
  #send(signal: Signal): void {
    const { engine, failures } = this.#host;
    failures.inBackground("telling other nodes who is present", () =>
      engine.signals.send(TOPIC, JSON.stringify(signal)),
    );
  }
}
