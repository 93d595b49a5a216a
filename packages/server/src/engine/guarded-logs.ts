/**
 * Logs that somebody else has written, as the hub expects them. Whether the answers are right, this does not know, except for pages: from
 * one without an epoch subscribers would be told that their log is gone.
 */
import { type ChannelName, type Position, shown } from "@fanfare/protocol";
import type { Failures } from "../base/failures.js";
import type { AnswerDeadline } from "./answer-deadline.js";
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

export class GuardedLogs implements Logs {
  readonly #logs: Logs;
  readonly #failures: Failures;
  readonly #deadline: AnswerDeadline;

  constructor(logs: Logs, failures: Failures, deadline: AnswerDeadline) {
    this.#logs = logs;
    this.#failures = failures;
    this.#deadline = deadline;
  }

  append(channel: ChannelName, draft: AnyDraft, retention: Retention): Promise<Appended> {
    return this.#asked("append", channel, () => this.#logs.append(channel, draft, retention));
  }

  state(channel: ChannelName): Promise<PresentState> {
    return this.#asked("state", channel, () => this.#logs.state(channel));
  }

  listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    const listen = () => this.#logs.listen(channel, listener);
    // When it comes too late, its announcements would have no listener any more.
    return this.#asked("listen", channel, listen, () => this.unlisten(channel, listener));
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    try {
      this.#logs.unlisten(channel, listener);
    } catch (error) {
      this.#failures.goesOn("no longer listening to a channel", error);
    }
  }

  async read(channel: ChannelName, after: Position | null, limit: ReadLimit): Promise<Page> {
    const page = await this.#asked("read", channel, () => this.#logs.read(channel, after, limit));
    if (typeof page.epoch === "string" && Array.isArray(page.messages)) return page;
    throw new TypeError(`the engine answered ${shown(page)} instead of a page of ${channel}`);
  }

  heads(channels: readonly ChannelName[]): Promise<Position[]> {
    return this.#asked("heads", null, () => this.#logs.heads(channels));
  }

  list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    return this.#asked("list", null, () => this.#logs.list(after, limit));
  }

  remove(channel: ChannelName): Promise<boolean> {
    return this.#asked("remove", channel, () => this.#logs.remove(channel));
  }

  owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]> {
    return this.#asked("owners", null, () => this.#logs.owners(by, limit));
  }

  holdings(owner: string): Promise<Holdings> {
    return this.#asked("holdings", null, () => this.#logs.holdings(owner));
  }

  #asked<Answer>(
    call: keyof Logs,
    channel: ChannelName | null,
    ask: () => Promise<Answer>,
    late?: () => void,
  ): Promise<Answer> {
    return this.#deadline.of(`logs.${call}`, channel, ask, late);
  }
}
