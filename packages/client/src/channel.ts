/**
 * One channel of a client: what the server said about it, and the handlers that share its subscription. Each handler has a
 * position of its own, so that each gets every message exactly once, whenever it joined.
 */
import type { Delivery, Listener } from "./listener.js";
import type { GapReason, Position } from "./types.js";

/**
 * `wanted`: to be subscribed as soon as there is a connection. `asked`: the request `id` is on its way. `live`: frames of
 * this channel are meant for us. `refused`: the server said no; asked again after a reconnect.
 */
export type ChannelStatus =
  | { readonly kind: "wanted" | "live" | "refused" }
  | { readonly kind: "asked"; readonly id: number };

/** The parts of a `subscribed` frame that matter here. */
export interface SubscribedFrame extends Position {
  readonly recovered: boolean;
  readonly reason?: GapReason | null;
}

export class Channel {
  readonly name: string;
  readonly listeners = new Set<Listener>();
  status: ChannelStatus = { kind: "wanted" };
  /** What the server has given, while live. */
  #position: Position | null = null;

  constructor(name: string) {
    this.name = name;
  }

  /** Where to go on: the position of the handler that is furthest back; `null` when none has one. */
  get since(): Position | null {
    let since: Position | null = null;
    for (const { position } of this.listeners) {
      if (!position) continue;
      // Of positions in two logs, only one in the newer can be honoured, and that is the one heard of last.
      const older = position.epoch === since?.epoch ? position.offset < since.offset : this.#knows(position);
      if (!since || older) since = position;
    }
    return since;
  }

  /** A handler joins; when the channel is live and it asks for nothing earlier, it goes on from here. */
  add(listener: Listener): void {
    this.listeners.add(listener);
    if (this.status.kind === "live" && this.#position && !listener.position) {
      listener.subscribed(this.#position, false, null);
    }
  }

  subscribed({ epoch, offset, recovered, reason = null }: SubscribedFrame): void {
    this.status = { kind: "live" };
    this.#position = { epoch, offset };
    for (const listener of [...this.listeners]) listener.subscribed({ epoch, offset }, recovered, reason);
  }

  deliver(delivery: Delivery): void {
    if (this.status.kind !== "live" || !this.#position) return;
    this.#position =
      delivery.type === "gap"
        ? { epoch: delivery.epoch, offset: delivery.to }
        : { epoch: this.#position.epoch, offset: delivery.offset };
    const { epoch } = this.#position;
    for (const listener of [...this.listeners]) listener.deliver(delivery, epoch);
  }

  failed(error: Error): void {
    for (const listener of [...this.listeners]) listener.failed(error);
  }

  #knows({ epoch }: Position): boolean {
    return epoch === this.#position?.epoch;
  }
}
