/**
 * Lets what is to be published go on when it is what its channel carries. Knows nothing of schemas: the maker of the hub
 * gives the checks. A check may take its time. Later messages of the same publisher to that channel wait for it, so that the order of calls
 * stays. Messages of others go on.
 */
import type { ChannelName, JsonObject } from "@fanfare/protocol";

/** Says what channels carry. Values are as subscribers will get them. */
export interface PayloadChecks {
  /** Throws, or rejects, with a FanfareError when this is no message of the channel. */
  message(channel: ChannelName, event: string, data: unknown): void | Promise<void>;
  /** Throws, or rejects, with a FanfareError when this is no state of the channel. */
  state(channel: ChannelName, state: JsonObject): void | Promise<void>;
  /** May this be shown of a member of the channel? */
  info(channel: ChannelName, info: unknown): boolean;
}

/** A message that wants to go on. */
export interface Candidate {
  readonly channel: ChannelName;
  readonly draft: { readonly event: string; readonly json: string };
  readonly publisher: string;
}

export class MessageChecks {
  readonly #checks: PayloadChecks;
  /** The checks that the next message of a publisher to a channel has to wait for, by {@link lineOf}. */
  readonly #before = new Map<string, Promise<void>>();

  constructor(checks: PayloadChecks) {
    this.#checks = checks;
  }

  /**
   * Checks messages that go on together, or not at all.
   *
   * @param naming says in an error which of the messages it is about
   * @returns nothing when they may go on at once
   * @throws FanfareError that of the first message that is refused
   */
  check(
    messages: readonly Candidate[],
    naming: (error: unknown, index: number) => unknown = (error) => error,
  ): Promise<void> | undefined {
    const waits = new Set<Promise<void>>();
    const checking: [number, Promise<void>][] = [];
    for (const [index, message] of messages.entries()) {
      const { channel, draft } = message;
      const before = this.#before.size > 0 && this.#before.get(lineOf(message));
      if (before) waits.add(before);
      try {
        const check = this.#checks.message(channel, draft.event, JSON.parse(draft.json));
        if (check) checking.push([index, check]);
      } catch (error) {
        const refused = naming(error, index);
        if (checking.length === 0) throw refused;
        checking.push([index, Promise.reject(error)]);
        break;
      }
    }
    if (waits.size === 0 && checking.length === 0) return undefined;
    return this.#inTurn(messages, this.#all(waits, checking, naming));
  }

  /** Further messages of these publishers to these channels wait for this from now on. */
  #inTurn(messages: readonly Candidate[], checked: Promise<void>): Promise<void> {
    const over = checked.catch(() => {});
    const lines = messages.map(lineOf);
    for (const line of lines) this.#before.set(line, over);
    void over.then(() => {
      for (const line of lines) if (this.#before.get(line) === over) this.#before.delete(line);
    });
    return checked;
  }

  async #all(
    waits: Iterable<Promise<void>>,
    checking: readonly [number, Promise<void>][],
    naming: (error: unknown, index: number) => unknown,
  ): Promise<void> {
    const checked = Promise.allSettled(checking.map(([, check]) => check));
    await Promise.all(waits);
    for (const [place, result] of (await checked).entries()) {
      if (result.status === "rejected") throw naming(result.reason, checking[place]?.[0] ?? 0);
    }
  }
}

/** Names of channels have no blanks. */
function lineOf({ channel, publisher }: Candidate): string {
  return `${channel} ${publisher}`;
}
