/**
 * The records of a service as they are: read from the states of their channels, in slices, so that others come between. Keeps
 * parsed records for a while. Knows no calls and no access.
 */
import {
  type ChannelName,
  FanfareError,
  isChannelName,
  isDots,
  type JsonObject,
  parseChannelName,
  quote,
} from "@fanfare/protocol";
import type { ChannelState } from "../engine/engine.js";
import type { Hub } from "../hub/hub.js";
import { InOrder } from "../hub/terms/in-order.js";

/** This many states are read at once. */
const READ_AT_ONCE = 20;
/** Characters of JSON that are kept parsed, for all services together; as objects they take some four bytes each. */
const MAX_PARSED = 2 * 1024 * 1024;

/** A record as it was read. */
export interface Kept {
  readonly id: string;
  readonly channel: ChannelName;
  readonly record: JsonObject;
  /** Characters as JSON. */
  readonly length: number;
}

/** A part of a search. */
export interface Slice {
  /** How many records were looked for. */
  readonly ids: number;
  readonly kept: readonly Kept[];
}

/** Reads records; all services of a server share it. */
export class RecordReading {
  /** Searches follow each other: only one at a time holds records. */
  readonly #inOrder = new InOrder<"search">();
  /** The latest used last. */
  readonly #parsed = new Map<ChannelName, Kept & { readonly epoch: string; readonly offset: number }>();
  #length = 0;

  search<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return this.#inOrder.run("search", work);
  }

  /** The record that a state is, parsed once for each version. Do not change it. */
  parse(id: string, channel: ChannelName, { epoch, offset }: ChannelState, json: string): Kept {
    const known = this.#parsed.get(channel);
    if (known) this.#forget(channel, known);
    const isCurrent = known?.epoch === epoch && known.offset === offset;
    const { length } = json;
    const parsed = isCurrent ? known : { id, channel, record: recordOf(id, json), length, epoch, offset };
    this.#parsed.set(channel, parsed);
    this.#length += length;
    for (const [oldest, { length: freed }] of this.#parsed) {
      if (this.#length <= MAX_PARSED) break;
      this.#forget(oldest, { length: freed });
    }
    return parsed;
  }

  #forget(channel: ChannelName, { length }: { readonly length: number }): void {
    this.#parsed.delete(channel);
    this.#length -= length;
  }
}

export class Records {
  readonly #service: ChannelName;
  readonly #hub: Hub;
  readonly #reading: RecordReading;

  constructor(service: ChannelName, hub: Hub, reading: RecordReading) {
    this.#service = service;
    this.#hub = hub;
    this.#reading = reading;
  }

  /** @throws FanfareError `invalid_request` when it cannot be a segment of a channel name */
  channelOf(id: unknown): ChannelName {
    const isId = (typeof id === "string" && !id.includes(":") && !isDots(id)) || Number.isSafeInteger(id);
    const channel = `${this.#service}:${String(id)}`;
    if (isId && isChannelName(channel)) return parseChannelName(channel);
    throw new FanfareError("invalid_request", `id is ${quote(String(JSON.stringify(id)))}`, {
      remedy:
        "Give an id of the characters A-Z a-z 0-9 _ - . = @ , ; ~, but neither . nor .., or a whole number.",
    });
  }

  /** @throws FanfareError `unavailable` */
  async read(id: string, channel: ChannelName): Promise<Kept | null> {
    const state = await this.#hub.state(channel);
    return state?.json ? this.#reading.parse(id, channel, state, state.json) : null;
  }

  /** Reads in slices those that are there, in the order of their ids. @param may may it be read? */
  async *scan(ids: readonly string[], may: (channel: ChannelName) => boolean): AsyncGenerator<Slice> {
    for (let start = 0; start < ids.length; start += READ_AT_ONCE) {
      const slice = ids.slice(start, start + READ_AT_ONCE);
      const read = await this.#hub.slices.run(() => {
        const reads: Promise<Kept | null>[] = [];
        for (const id of slice) {
          const channel = this.channelOf(id);
          if (may(channel)) reads.push(this.read(id, channel));
        }
        return Promise.all(reads);
      });
      yield { ids: slice.length, kept: read.filter((kept) => kept !== null) };
    }
  }
}

/** The record that a state is. Its id is there even where somebody has set the state by other means. */
export function recordOf(id: string, json: string): JsonObject {
  const state: JsonObject = JSON.parse(json);
  return Object.hasOwn(state, "id") ? state : { id, ...state };
}
