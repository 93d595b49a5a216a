/**
 * Follows the end of one channel's log for this node. Announcements of an engine may be late, double, out of order or
 * missing; the tail, and only it, sorts them, drops doubles, and fills holes by asking the engine. It gives out a sequence in which every hole is an entry of its own.
 */
import type { ChannelName, Position } from "@fanfare/protocol";
import type { Clock, Random } from "../../base/clock.js";
import type { Failures } from "../../base/failures.js";
import type { Engine, LogEntry, LogListener, ReadLimit } from "../../engine/engine.js";
import { Entry } from "./entry.js";
import { readAround } from "./read-around.js";
import { type PageOn, readOn } from "./read-on.js";
import { Window } from "./window.js";

const READ: ReadLimit = { messages: 1000, bytes: 1024 * 1024 };
/** Messages that came too early and wait for those before them; what is beyond is read from the engine again. */
const MAX_EARLY = 1000;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 5000;

export interface TailHost {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly random: Random;
  readonly failures: Failures;
}

/** The calls of the tail to its channel. */
export interface TailOwner {
  /** An entry was added to the window. */
  grew(): void;
  /** The window is about to start over: all that waits in it has to go out now. */
  startingOver(): void;
}

export class Tail implements LogListener {
  readonly window: Window;
  readonly #host: TailHost;
  readonly #owner: TailOwner;
  readonly #early = new Map<number, LogEntry>();
  /** Messages of logs that the window does not hold: gone ones, or the one that comes next. */
  #foreign: LogEntry[] = [];
  #reading: Promise<void> | null = null;
  /** Something was heard that a read has yet to explain. */
  #suspicious = false;
  #ended = false;

  constructor(channel: ChannelName, start: Position, owner: TailOwner, host: TailHost) {
    this.window = new Window(channel, start);
    this.#owner = owner;
    this.#host = host;
  }

  /** Has something been heard that is not in the window yet? */
  get behind(): boolean {
    return this.#suspicious || this.#reading !== null;
  }

  /** Asks nothing of the engine any more. */
  end(): void {
    this.#ended = true;
    this.#early.clear();
    this.#foreign = [];
  }

  // ---- what the engine announces

  message(message: LogEntry): void {
    if (this.#ended) return;
    if (message.epoch !== this.window.epoch) {
      // From a log that is gone, or from one that this tail has not heard of: only the engine can tell.
      if (this.#foreign.length < MAX_EARLY) this.#foreign.push(message);
      this.#suspect();
    } else if (message.offset === this.window.head + 1) {
      this.#push(message);
      this.#pushEarly();
    } else if (message.offset > this.window.head) {
      if (this.#early.size < MAX_EARLY) this.#early.set(message.offset, message);
      this.#suspect();
    }
  }

  reset(): void {
    this.#suspect();
  }

  deaf(): void {
    this.#suspect();
  }

  /** The engine's newest position, as far as somebody knows it. */
  heard(position: Position): void {
    if (this.lacks(position)) this.#suspect();
  }

  /** Is there something up to this position that the tail has not seen? */
  lacks({ epoch, offset }: Position): boolean {
    return epoch !== this.window.epoch || offset > this.window.head;
  }

  /** Resolves when the tail has seen all that the engine held at the time of the call. Tries until it succeeds. */
  async catchUp(): Promise<void> {
    // A read that is under way may have been answered before the call.
    if (this.#reading) await this.#reading;
    if (!this.#reading) this.#suspect();
    if (this.#reading) await this.#reading;
  }

  // ---- filling

  #suspect(): void {
    this.#suspicious = true;
    if (!this.#ended) this.#reading ??= this.#read().finally(() => this.#readEnded());
  }

  #readEnded(): void {
    this.#reading = null;
    if (this.#suspicious) this.#suspect();
  }

  async #read(): Promise<void> {
    let waitMs = RETRY_MIN_MS;
    while (!this.#ended && this.#suspicious) {
      this.#suspicious = false;
      try {
        const { epoch, head: offset, channel } = this.window;
        const { engine } = this.#host;
        const page = await readOn((after) => readAround(engine, channel, after, READ), { epoch, offset });
        if (this.#ended) return;
        this.#take(page);
        if (page.next || page.head > this.window.head) this.#suspicious = true;
        waitMs = RETRY_MIN_MS;
      } catch (error) {
        this.#host.failures.goesOn("reading what a channel lacks", error);
        this.#suspicious = true;
        await this.#pause(waitMs * (0.5 + this.#host.random.fraction()));
        waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
      }
    }
    this.#foreign = [];
  }

  #pause(ms: number): Promise<void> {
    return new Promise((done) => this.#host.clock.after(ms, done));
  }

  #take(page: PageOn): void {
    const { window } = this;
    if (page.epoch !== window.epoch) this.#startOver(page);
    // Entries that the log has let go of can only come from announcements.
    for (const message of [...this.#early.values()].sort((a, b) => a.offset - b.offset)) {
      if (message.offset < page.first) this.#pushAfterHole(message);
    }
    if (page.first > window.head + 1) this.#hole(page.first - 1);
    for (const message of page.messages) this.#pushAfterHole(message);
    this.#pushEarly();
  }

  #startOver({ epoch, first, lost, wentOn = false }: PageOn): void {
    const { window } = this;
    this.#owner.startingOver();
    this.#early.clear();
    for (const message of this.#foreign) {
      if (message.epoch === epoch) this.#early.set(message.offset, message);
    }
    const to = Math.min(first, ...this.#early.keys()) - 1;
    const gap = { channel: window.channel, epoch, from: 1, to, reason: lost ?? "epoch_changed" } as const;
    window.startOver(gap, this.#host.clock.now(), wentOn);
    this.#owner.grew();
  }

  #pushAfterHole(message: LogEntry): void {
    if (message.offset <= this.window.head) return;
    if (message.offset > this.window.head + 1) this.#hole(message.offset - 1);
    this.#push(message);
  }

  #hole(to: number): void {
    const { window } = this;
    const { channel, epoch } = window;
    window.push(
      Entry.ofGap({ channel, epoch, from: window.head + 1, to, reason: "evicted" }, this.#host.clock.now()),
    );
    this.#owner.grew();
  }

  #push(message: LogEntry): void {
    this.window.push(Entry.of(message, this.#host.engine.sharesEntries));
    this.#owner.grew();
  }

  /** Takes the early messages whose turn has come; drops those that are no longer needed. */
  #pushEarly(): void {
    if (this.#early.size === 0) return;
    for (;;) {
      const message = this.#early.get(this.window.head + 1);
      if (!message) break;
      this.#early.delete(message.offset);
      this.#push(message);
    }
    for (const offset of this.#early.keys()) if (offset <= this.window.head) this.#early.delete(offset);
  }
}
