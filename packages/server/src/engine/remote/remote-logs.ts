/**
 * Logs in another process. Each listener of a channel is an ear with a number. After a lost connection all ears are told that they may
 * have missed something, once they hear again.
 */
import type { ChannelName, Position } from "@fanfare/protocol";
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
} from "../logs.js";
import type { Link } from "./link.js";
import type { EngineMessage } from "./messages.js";

interface Ear {
  readonly number: number;
  readonly channel: ChannelName;
  readonly listener: LogListener;
}

export class RemoteLogs implements Logs {
  readonly #link: Link;
  readonly #ears = new Map<number, Ear>();
  readonly #channels = new Map<ChannelName, Map<LogListener, Ear>>();
  #number = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  append(channel: ChannelName, draft: AnyDraft, { messages, ageMs }: Retention): Promise<Appended> {
    const retention = { messages: finite(messages), ageMs: finite(ageMs) };
    return this.#link.call("append", channel, draft, retention);
  }

  state(channel: ChannelName): Promise<PresentState> {
    return this.#link.call("state", channel);
  }

  async listen(channel: ChannelName, listener: LogListener): Promise<Listened> {
    let ears = this.#channels.get(channel);
    if (!ears) {
      ears = new Map();
      this.#channels.set(channel, ears);
    }
    const known = ears.get(listener);
    const ear = known ?? { number: ++this.#number, channel, listener };
    ears.set(listener, ear);
    this.#ears.set(ear.number, ear);
    try {
      return (await this.#ask(ear)) as Listened;
    } catch (error) {
      if (!known) this.unlisten(channel, listener);
      throw error;
    }
  }

  unlisten(channel: ChannelName, listener: LogListener): void {
    const ears = this.#channels.get(channel);
    const ear = ears?.get(listener);
    if (!ears || !ear) return;
    ears.delete(listener);
    if (ears.size === 0) this.#channels.delete(channel);
    this.#ears.delete(ear.number);
    this.#link.say(["unlisten", ear.number]);
  }

  read(channel: ChannelName, after: Position | null, { messages, bytes }: ReadLimit): Promise<Page> {
    return this.#link.call("read", channel, after, { messages: finite(messages), bytes: finite(bytes) });
  }

  heads(channels: readonly ChannelName[]): Promise<Position[]> {
    return this.#link.call("heads", channels);
  }

  list(after: ChannelName | null, limit: number): Promise<ListedChannel[]> {
    return this.#link.call("list", after, finite(limit));
  }

  remove(channel: ChannelName): Promise<boolean> {
    return this.#link.call("remove", channel);
  }

  owners(by: keyof Holdings, limit: number): Promise<OwnerHoldings[]> {
    return this.#link.call("owners", by, finite(limit));
  }

  holdings(owner: string): Promise<Holdings> {
    return this.#link.call("holdings", owner);
  }

  told(message: EngineMessage): void {
    switch (message[0]) {
      case "entry":
        this.#ears.get(message[1])?.listener.message(message[2]);
        break;
      case "reset":
        this.#ears.get(message[1])?.listener.reset(message[2], message[3]);
        break;
      case "deaf":
        this.#ears.get(message[1])?.listener.deaf(message[2]);
    }
  }

  /** Listens anew with all ears. */
  reconnected(since: number): void {
    for (const ear of this.#ears.values()) {
      this.#ask(ear).then(
        () => {
          if (this.#ears.get(ear.number) === ear) ear.listener.deaf(since);
        },
        // It will be asked again with the next connection, and the comparison of heads finds what it misses.
        () => {},
      );
    }
  }

  #ask({ number: ear, channel }: Ear): Promise<unknown> {
    return this.#link.ask((number) => ["listen", number, channel, ear]);
  }
}

/** JSON has no infinity. */
function finite(limit: number): number {
  return Math.min(limit, Number.MAX_SAFE_INTEGER);
}
