/** Another node, as far as its word on who is present has come here. */
import type { ChannelName } from "@fanfare/protocol";
import type { Present } from "../terms/member.js";
import type { Change, PeersHost } from "./peers.js";

/** Changes that came before those that belong in front of them. */
const MAX_EARLY = 100;

/** All members of a node, or a part of them. */
export type Whole = readonly { readonly channel: ChannelName; readonly present: Present }[];

export class Peer {
  readonly node: string;
  /** When it was last heard, and when it was last asked for the whole; monotonic. */
  heardAt: number;
  askedAt = Number.NEGATIVE_INFINITY;
  /** Is something missing that has not come in the meantime? */
  lacks = false;
  readonly #host: Pick<PeersHost, "heard" | "heardAll">;
  /** The number up to which everything is known. A node begins at 0, without members. */
  #number = 0;
  /** The highest number it has spoken of. */
  #reached = 0;
  readonly #early = new Map<number, readonly Change[]>();
  /** The parts of a whole that are here. */
  #parts: { readonly number: number; readonly got: Map<number, Whole> } | null = null;

  constructor(node: string, now: number, host: Pick<PeersHost, "heard" | "heardAll">) {
    this.node = node;
    this.heardAt = now;
    this.#host = host;
  }

  beat(number: number): void {
    // A peer that was behind at the last beat already did not just overtake something.
    this.lacks = this.#number < this.#reached || number > this.#reached;
    this.#reached = Math.max(this.#reached, number);
  }

  changes(number: number, changes: readonly Change[]): void {
    this.#reached = Math.max(this.#reached, number);
    if (number <= this.#number) return;
    if (number > this.#number + 1) {
      if (this.#early.size < MAX_EARLY) this.#early.set(number, changes);
      return;
    }
    this.#take(number, changes);
    this.#takeEarly();
  }

  whole(number: number, part: number, parts: number, members: Whole): void {
    this.#reached = Math.max(this.#reached, number);
    if (number <= this.#number || (this.#parts && number < this.#parts.number)) return;
    if (this.#parts?.number !== number) this.#parts = { number, got: new Map() };
    const { got } = this.#parts;
    got.set(part, members);
    if (got.size < parts) return;
    this.#parts = null;
    this.#number = number;
    this.#host.heardAll(this.node, [...got.values()].flat());
    for (const early of this.#early.keys()) if (early <= number) this.#early.delete(early);
    this.#takeEarly();
  }

  #takeEarly(): void {
    for (;;) {
      const next = this.#number + 1;
      const changes = this.#early.get(next);
      if (!changes) break;
      this.#early.delete(next);
      this.#take(next, changes);
    }
    if (this.#number === this.#reached) this.lacks = false;
  }

  #take(number: number, changes: readonly Change[]): void {
    this.#number = number;
    for (const change of changes) this.#host.heard(this.node, change);
    if (number === this.#reached) this.lacks = false;
  }
}
