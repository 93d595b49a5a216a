/** Random stories of an engine, with what has to come after each position that somebody was given on the way. */
import { type ChannelName, type Position, parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { expect } from "vitest";
import type { Engine } from "../engine.js";
import { draft, Heard, headOf, KEEP_ALL, NO_LIMIT, type Opened, valuesOf } from "./harness.contract.js";

/** Shorter than in earnest: each second of it is a sweep. */
export const FORGET_AFTER_MS = 20_000;
const CHANNELS = ["a", "b", "c", "d"].map(parseChannelName);

const channel = fc.constantFrom(...CHANNELS);
/** Something that happens to an engine. */
export const anyStep = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ does: fc.constant("append"), channel, keep: fc.constantFrom(0, 2, 100) }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constant("look"), channel }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("listen"), channel }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("unlisten"), channel }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("start over"), channel }) },
  {
    weight: 2,
    arbitrary: fc.record({ does: fc.constant("wait"), ms: fc.constantFrom(5000, 12_000, 23_000) }),
  },
);
type Step = typeof anyStep extends fc.Arbitrary<infer Taken> ? Taken : never;

/** A position that somebody was given, and how many messages the channel had seen by then. */
interface Given {
  readonly channel: ChannelName;
  readonly position: Position;
  readonly seen: number;
}

/** Lets things happen to an engine, and knows of every position what has to come after it. */
export class Story {
  readonly opened: Opened;
  readonly #engine: Engine;
  readonly #appended = new Map<ChannelName, number[]>(CHANNELS.map((channel) => [channel, []]));
  readonly #listeners = new Map<ChannelName, Heard>(CHANNELS.map((channel) => [channel, new Heard()]));
  readonly #given: Given[] = [];
  #count = 0;

  constructor(opened: Opened) {
    this.opened = opened;
    this.#engine = opened.engine;
  }

  async take(step: Step): Promise<void> {
    if ("ms" in step) return await this.opened.passTime?.(step.ms);
    const { channel } = step;
    const listener = this.#listeners.get(channel) ?? new Heard();
    if ("keep" in step) {
      const value = this.#count++;
      const retention = { ...KEEP_ALL, messages: step.keep };
      const answer = await this.#engine.logs.append(channel, draft(value), retention);
      this.#appended.get(channel)?.push(value);
      this.#give(channel, answer);
    } else if (step.does === "look") {
      const { epoch, head } = await this.#engine.logs.read(channel, null, NO_LIMIT);
      this.#give(channel, { epoch, offset: head });
      this.#give(channel, await headOf(this.#engine, channel));
    } else if (step.does === "listen") this.#give(channel, await this.#engine.logs.listen(channel, listener));
    else if (step.does === "unlisten") this.#engine.logs.unlisten(channel, listener);
    else await this.opened.startOver?.(channel);
  }

  /** Reads after every position ever given: what seems to be recovered has to be all of it, and nothing else. */
  async check(nothingForgotten: boolean): Promise<void> {
    for (const { channel, position, seen } of this.#given) {
      const page = await this.#engine.logs.read(channel, position, NO_LIMIT);
      const missed = this.#appended.get(channel)?.slice(seen) ?? [];
      if (nothingForgotten) {
        expect(page.lost).toBeUndefined();
        expect(page.head - position.offset).toBe(missed.length);
      }
      const recovered = page.lost === undefined && page.first <= position.offset + 1;
      if (recovered) expect(valuesOf(page.messages)).toEqual(missed);
      else expect(missed.slice(missed.length - page.messages.length)).toEqual(valuesOf(page.messages));
    }
  }

  #give(channel: ChannelName, { epoch, offset }: Position): void {
    const seen = this.#appended.get(channel)?.length ?? 0;
    this.#given.push({ channel, position: { epoch, offset }, seen });
  }
}
