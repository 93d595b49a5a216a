/**
 * The holdings of each owner, and the share that one may have. The maker of a channel owns it, and the one who brings a state
 * into being owns that, until it is removed or forgotten. Counts for every engine; where the counts lie, the engine says.
 */
import { type ChannelName, FanfareError, quote } from "@fanfare/protocol";
import type { AnyDraft, ChannelState, Holdings } from "./engine.js";

/** The share of one owner. */
export type Share = Holdings;

export const DEFAULT_SHARE: Share = {
  channels: 10_000,
  states: 10_000,
  stateBytes: 16 * 2 ** 20,
  sequences: 1000,
  locks: 10_000,
};

export const NO_HOLDINGS: Holdings = { channels: 0, states: 0, stateBytes: 0, sequences: 0, locks: 0 };

const NAMES = [
  "channels",
  "states",
  "stateBytes",
  "sequences",
  "locks",
] as const satisfies readonly (keyof Holdings)[];

/** The owners that an engine keeps with a channel. */
export interface Owned {
  readonly channel: ChannelName;
  /** Who made the channel: `null` is an owner without a bound, and `undefined` says that nothing was appended since it is there. */
  owner: string | null | undefined;
  /** The owner that brought the present state into being. */
  stateOwner: string | null;
}

/** Where the counts lie: those of each owner, and under `ALL` those of all owners together. */
export interface HoldingsTable {
  get(owner: string): Holdings | null;
  /** `null`: the owner holds nothing any more. */
  set(owner: string, holdings: Holdings | null): void;
}

/** No owner has this name. */
export const ALL = "";

export class Shares {
  readonly #table: HoldingsTable;
  readonly #share: Share;
  #most = NO_HOLDINGS;
  readonly #refused: Record<keyof Holdings, number> = { ...NO_HOLDINGS };

  constructor(table: HoldingsTable, share: Share) {
    this.#table = table;
    this.#share = share;
  }

  /** The holdings of all owners together. */
  get all(): Holdings {
    return this.#table.get(ALL) ?? NO_HOLDINGS;
  }

  of(owner: string): Holdings {
    return this.#table.get(owner) ?? NO_HOLDINGS;
  }

  /** How often somebody wanted more of each than one may have, since this process began. */
  get refused(): Holdings {
    return this.#refused;
  }

  /** The most of each that one owner has had since this process began. */
  get most(): Holdings {
    return this.#most;
  }

  /**
   * To be called before something is appended.
   *
   * @param owned the channel, if there is one
   * @param present the state that it has
   * @throws FanfareError `share_used_up` when the owner of the draft would get more than one may have
   */
  assertRoom(channel: ChannelName, owned: Owned | null, draft: AnyDraft, present: ChannelState | null): void {
    const { owner } = draft;
    if (owner === undefined) return;
    const makes = owned?.owner === undefined;
    if (!makes && !draft.change) return;
    const more = this.#wanted(channel, owned, draft, present, makes);
    const held = this.#table.get(owner) ?? NO_HOLDINGS;
    for (const name of NAMES) {
      const extra = more[name] ?? 0;
      if (extra > 0 && held[name] + extra > this.#share[name]) {
        this.#refused[name]++;
        throw usedUp(owner, name, held[name], extra, this.#share[name]);
      }
    }
  }

  /** To be called when it is appended: the channel, and the state, are somebody's from now on. */
  take(owned: Owned, draft: AnyDraft, present: ChannelState | null): void {
    if (owned.owner === undefined) {
      owned.owner = draft.owner ?? null;
      this.#add(owned.owner, { [kindOf(owned.channel)]: 1 });
    }
    if (!draft.change || kindOf(owned.channel) !== "channels") return;
    const [before, after] = [present?.json ?? null, draft.state];
    if (before === null && after === null) return;
    if (before === null) owned.stateOwner = draft.owner ?? null;
    const states = Number(after !== null) - Number(before !== null);
    this.#add(owned.stateOwner, { states, stateBytes: bytesOf(after) - bytesOf(before) });
    if (after === null) owned.stateOwner = null;
  }

  /** The channel is removed or forgotten. @param present the state that goes with it */
  release(owned: Owned, present: ChannelState | null): void {
    this.releaseState(owned, present);
    this.#add(owned.owner ?? null, { [kindOf(owned.channel)]: -1 });
    owned.owner = undefined;
  }

  /** The state goes, and the channel stays. */
  releaseState(owned: Owned, present: ChannelState | null): void {
    const json = present?.json ?? null;
    if (json !== null) this.#add(owned.stateOwner, { states: -1, stateBytes: -bytesOf(json) });
    owned.stateOwner = null;
  }

  #wanted(
    channel: ChannelName,
    owned: Owned | null,
    draft: AnyDraft,
    present: ChannelState | null,
    makes: boolean,
  ): Partial<Holdings> {
    const kind = kindOf(channel);
    const more: Partial<Record<keyof Holdings, number>> = makes ? { [kind]: 1 } : {};
    if (!draft.change || draft.state === null || kind !== "channels") return more;
    const before = present?.json ?? null;
    // What somebody adds to the state of another counts for that one, and is not refused to this one.
    if (before !== null && owned?.stateOwner !== draft.owner) return more;
    if (before === null) more.states = 1;
    more.stateBytes = Math.max(0, bytesOf(draft.state) - bytesOf(before));
    return more;
  }

  #add(owner: string | null, more: Partial<Holdings>): void {
    if (owner === null) return;
    for (const name of [ALL, owner]) {
      const held = sumOf(this.#table.get(name) ?? NO_HOLDINGS, more);
      if (name === owner) this.#most = mostOf(this.#most, held);
      this.#table.set(name, NAMES.every((each) => held[each] === 0) ? null : held);
    }
  }
}

export function sumOf(some: Holdings, more: Partial<Holdings>): Holdings {
  const sum: Record<keyof Holdings, number> = { ...NO_HOLDINGS };
  for (const name of NAMES) sum[name] = some[name] + (more[name] ?? 0);
  return sum;
}

export function mostOf(some: Holdings, others: Holdings): Holdings {
  const most: Record<keyof Holdings, number> = { ...NO_HOLDINGS };
  for (const name of NAMES) most[name] = Math.max(some[name], others[name]);
  return most;
}

/** Locks and sequences are channels of a kind of their own, whose states count with them. */
function kindOf(channel: ChannelName): "channels" | "locks" | "sequences" {
  if (channel.startsWith("$lock:")) return "locks";
  return channel.startsWith("$sequence:") ? "sequences" : "channels";
}

function bytesOf(json: string | null): number {
  return json === null ? 0 : Buffer.byteLength(json);
}

const WORDS: Readonly<Record<keyof Holdings, string>> = {
  channels: "channels",
  states: "channels with a state",
  stateBytes: "bytes of states",
  sequences: "sequences",
  locks: "locks, those included that were free for less than a day",
};

function usedUp(
  owner: string,
  name: keyof Holdings,
  held: number,
  extra: number,
  share: number,
): FanfareError {
  return new FanfareError(
    "share_used_up",
    `${quote(owner)} has ${held} ${WORDS[name]} and wants ${extra} more; one user or address may have ${share}`,
    { remedy: `Remove what is not needed, or raise limits.${name}PerOwner on the server.` },
  );
}
