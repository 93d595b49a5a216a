/**
 * Which records a service has: a state of the server's own, with a member for each record that says when it came. So it lives
 * where channels live, on all nodes, and is as durable as they are. It holds the newest records only.
 */
import { type ChannelName, ownChannel } from "@fanfare/protocol";
import type { ChannelState } from "../engine/engine.js";
import type { Hub } from "../hub/hub.js";
import { InOrder } from "../hub/terms/in-order.js";

/** Bytes of a member without its key: quotes, colon, comma, and a time of 13 digits. */
const MEMBER_BYTES = 17;
const ONE_AT_A_TIME = "index";

/** An id, and when its record came. */
type Member = readonly [id: string, time: number];

export class RecordIndex {
  readonly #hub: Hub;
  readonly #channel: ChannelName;
  readonly #maxRecords: number;
  readonly #inOrder = new InOrder<typeof ONE_AT_A_TIME>();
  /** The index as it was read last: searches ask often. */
  #known: { readonly state: ChannelState; readonly members: readonly Member[] } | null = null;

  constructor(hub: Hub, service: ChannelName, maxRecords: number) {
    this.#hub = hub;
    this.#channel = ownChannel("index", service);
    this.#maxRecords = maxRecords;
  }

  /** The ids, oldest first. @throws FanfareError `unavailable` */
  async ids(): Promise<string[]> {
    return (await this.#read()).map(([id]) => id);
  }

  /**
   * Takes up an id, unless it is there.
   *
   * @returns the ids that were dropped for it, oldest first
   * @throws FanfareError `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  add(id: string): Promise<string[]> {
    return this.#inOrder.run(ONE_AT_A_TIME, async () => {
      const known = await this.#read();
      if (known.some(([other]) => other === id)) return [];
      const dropped = this.#tooMany(known, id);
      const now = this.#hub.clock.now();
      // Two that came in one millisecond stay in order.
      const time = Math.max(now, (known.at(-1)?.[1] ?? 0) + 1);
      const patch = Object.fromEntries([...dropped.map((old) => [old, null]), [id, time]]);
      await this.#hub.changeState(this.#channel, { patch });
      return dropped;
    });
  }

  /** Forgets an id. @throws FanfareError `insufficient_storage`, `unavailable` */
  async remove(id: string): Promise<void> {
    await this.#inOrder.run(ONE_AT_A_TIME, () =>
      this.#hub.changeState(this.#channel, { patch: Object.fromEntries([[id, null]]) }),
    );
  }

  async #read(): Promise<readonly Member[]> {
    const state = await this.#hub.state(this.#channel);
    if (!state) return [];
    const known = this.#known;
    if (known?.state.epoch === state.epoch && known.state.offset === state.offset) return known.members;
    const times: Record<string, number> = JSON.parse(state.json ?? "{}");
    const members = Object.entries(times).sort(([, one], [, other]) => one - other);
    this.#known = { state, members };
    return members;
  }

  /** The oldest that have to go, so that there are not too many, nor too many bytes. */
  #tooMany(known: readonly Member[], id: string): string[] {
    const room = this.#hub.limits.stateBytes - 2;
    let bytes = id.length + MEMBER_BYTES;
    for (const [other] of known) bytes += other.length + MEMBER_BYTES;
    let count = known.length + 1;
    const dropped: string[] = [];
    for (const [oldest] of known) {
      if (count <= this.#maxRecords && bytes <= room) break;
      dropped.push(oldest);
      count--;
      bytes -= oldest.length + MEMBER_BYTES;
    }
    return dropped;
  }
}
