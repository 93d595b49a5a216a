/**
 * Logs that somebody else has written, as the hub expects them. Whether the answers are right, this does not know, except for pages: from
 * one without an epoch subscribers would be told that their log is gone.
 */
import { type ChannelName, type Position, shown } from "@fanfare/protocol";
import type { Failures } from "../base/failures.js";
import type {
  AnyDraft,
  Appended,
  Holdings,
  ListedChannel,
  Listened,
  LogListener,
  Logs,
  OwnerHoldings,
  Page,
  PresentState,
  ReadLimit,
  Retention,
} from "./logs.js";
import { promised } from "./promised.js";

export class GuardedLogs implements Logs {
  readonly #logs: Logs;
  readonly #failures: Failures;

  constructor(logs: Logs, failures: Failures) {
    this.#logs = logs;
    this.#failures = failures;
  }

  /** Called for each message: makes nothing of its own as long as all is well. */
  append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    try {
      const answer = this.#logs.append(channel, draft, retention);
      return answer instanceof Promise ? answer : Promise.resolve(answer);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  state(channel: ChannelName): Promise<PresentState> {
    return promised(() => this.#logs.state(channel));
  }

  listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    return promised(() => this.#logs.listen(channel, listener));
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    try {
      this.#logs.unlisten(channel, listener);
    } catch (error) {
      this.#failures.goesOn("no longer listening to a channel", error);
    }
  }

  async read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    const page = await this.#logs.read(channel, after, limit);
    if (typeof page.epoch === "string" && Array.isArray(page.messages)) return page;
    throw new TypeError(`the engine answered ${shown(page)} instead of a page of ${channel}`);
  }

  heads(channels: readonly ChannelName[]): Promise<Position[]> {
    return promised(() => this.#logs.heads(channels));
  }

  list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    return promised(() => this.#logs.list(after, limit));
  }

  remove(channel: ChannelName): Promise<boolean> {
    return promised(() => this.#logs.remove(channel));
  }

  owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]> {
    return promised(() => this.#logs.owners(by, limit));
  }

  holdings(owner: string): Promise<Holdings> {
    return promised(() => this.#logs.holdings(owner));
  }
}
