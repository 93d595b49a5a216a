/** The entries of earlier epochs that a hostile engine holds, as an engine does after a fail-over: some of the newest entries may be gone. */
import type { ChannelName, Epoch, Position } from "@fanfare/protocol";
import type { LogEntry, Logs, Page, ReadLimit } from "../logs.js";

const ALL: ReadLimit = { messages: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };

export class HostileRests {
  readonly #logs: Logs;
  readonly #random: () => number;
  readonly #rests = new Map<string, Page>();

  constructor(logs: Logs, random: () => number) {
    this.#logs = logs;
    this.#random = random;
  }

  /** To be called before a log starts over. Answers with what is to be called after that. */
  async hold(channel: ChannelName): Promise<(next: Position) => void> {
    const { messages, ...page } = await this.#logs.read(channel, null, ALL);
    const lost = this.#random() < 0.5 ? 0 : Math.floor(this.#random() * (messages.length + 1));
    const head = page.head - lost;
    const first = Math.min(page.first, head + 1);
    const left = messages.filter(({ offset }) => offset <= head);
    return ({ epoch }) => {
      const next = { epoch, reason: "epoch_changed" } as const;
      this.#rests.set(`${channel} ${page.epoch}`, { ...page, first, head, messages: left, next });
    };
  }

  /** The newest entry that is held of an epoch; `null` when none is. */
  newest(channel: ChannelName, epoch: string): number | null {
    return this.#rests.get(`${channel} ${epoch}`)?.messages.at(-1)?.offset ?? null;
  }

  read(channel: ChannelName, { epoch, offset }: Position, limit: ReadLimit): Page | null {
    const rest = this.#rests.get(`${channel} ${epoch}`);
    if (!rest) return null;
    const messages: LogEntry[] = [];
    let bytes = 0;
    for (const entry of rest.messages) {
      if (entry.offset <= offset) continue;
      bytes += entry.json.length;
      if (messages.length >= limit.messages || (messages.length > 0 && bytes > limit.bytes)) break;
      messages.push(entry);
    }
    return { ...rest, messages };
  }

  forget(channel: ChannelName, epoch: Epoch): void {
    this.#rests.delete(`${channel} ${epoch}`);
  }

  /** Forgets all of a channel. */
  remove(channel: ChannelName): void {
    for (const name of this.#rests.keys()) if (name.startsWith(`${channel} `)) this.#rests.delete(name);
  }
}
