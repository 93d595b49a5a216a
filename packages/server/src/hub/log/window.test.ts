import { type Position, parseChannelName, parseEpoch } from "@fanfare/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Entry } from "./entry.js";
import { Window } from "./window.js";

const channel = parseChannelName("news");
const epochOf = (count: number) => parseEpoch(count.toString(16).padStart(16, "0"));

/** A window without cleverness: it keeps everything, and remembers how much of it is gone. */
class Naive {
  epoch = 1;
  /** Where what this window knows of the epoch begins. */
  begin: number;
  head: number;
  first = 0;
  readonly entries: { entry: Entry; epoch: number }[] = [];

  constructor(offset: number) {
    this.begin = offset;
    this.head = offset;
  }

  get held(): Entry[] {
    return this.entries.slice(this.first).map(({ entry }) => entry);
  }

  seek({ epoch, offset }: Position): number | null {
    if (epoch !== epochOf(this.epoch) || offset < this.begin || offset > this.head) return null;
    const next = this.entries.findIndex((each) => each.epoch === this.epoch && each.entry.offset > offset);
    if (next === -1) return this.entries.length;
    const gap = this.entries[next]?.entry.gap;
    return next < this.first || (gap && gap.from <= offset) ? null : next;
  }

  covers(position: Position): boolean {
    const sequence = this.seek(position);
    return sequence !== null && this.entries.slice(sequence).every(({ entry }) => entry.message !== null);
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("message" as const), later: fc.nat(30) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("hole" as const), count: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("startOver" as const), to: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("trim" as const),
      messages: fc.nat(10),
      ageMs: fc.integer({ min: 1, max: 200 }),
      kept: fc.nat(12),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("drop" as const), kept: fc.nat(6) }) },
);

test("does what a list that forgets nothing would do", () => {
  fc.assert(
    fc.property(fc.nat(5), fc.array(step, { maxLength: 60, size: "max" }), (offset, steps) => {
      const window = new Window(channel, { epoch: epochOf(1), offset });
      const naive = new Naive(offset);
      let now = 0;
      for (const step of steps) {
        const epoch = epochOf(naive.epoch);
        if (step.do === "message") {
          now += step.later;
          const place = { channel, epoch, offset: naive.head + 1, time: now };
          const entry = Entry.ofMessage({ ...place, event: "message", json: "1".repeat(step.later) });
          window.push(entry);
          naive.entries.push({ entry, epoch: naive.epoch });
          naive.head++;
        } else if (step.do === "hole") {
          const [from, to] = [naive.head + 1, naive.head + step.count];
          const entry = Entry.ofGap({ channel, epoch, from, to, reason: "evicted" }, now);
          window.push(entry);
          naive.entries.push({ entry, epoch: naive.epoch });
          naive.head = to;
        } else if (step.do === "startOver") {
          const gap = { channel, epoch: epochOf(++naive.epoch), from: 1, to: step.to } as const;
          window.startOver({ ...gap, reason: "restarted" }, now);
          naive.first = naive.entries.length;
          naive.entries.push({ entry: window.at(window.end - 1), epoch: naive.epoch });
          naive.begin = step.to;
          naive.head = step.to;
        } else if (step.do === "trim") {
          const keepFrom = window.end - step.kept;
          window.trim({ messages: step.messages, ageMs: step.ageMs }, now, keepFrom);
          const young = naive.entries.findIndex(({ entry }) => entry.time > now - step.ageMs);
          const byAge = young === -1 ? naive.entries.length : young;
          const byCount = naive.entries.length - step.messages;
          naive.first = Math.max(naive.first, Math.min(Math.max(byAge, byCount), keepFrom));
        } else {
          window.dropBefore(window.end - step.kept);
          naive.first = Math.max(naive.first, naive.entries.length - step.kept);
        }

        const { first, end, head } = window;
        expect([window.epoch, head]).toEqual([epochOf(naive.epoch), naive.head]);
        expect([first, end]).toEqual([naive.first, naive.entries.length]);
        expect(window.slice(first, end).every((entry, index) => entry === naive.held[index])).toBe(true);
        expect(window.cost).toBe(naive.held.reduce((sum, { cost }) => sum + cost, 0));
        const beginning = naive.entries.findLastIndex(({ entry }) => entry.gap?.reason === "restarted");
        expect(window.beginning).toBe(beginning >= naive.first && beginning !== -1 ? beginning : null);
        const positions = [naive.epoch, naive.epoch - 1].flatMap((epoch) =>
          Array.from({ length: head + 2 }, (_, offset) => ({ epoch: epochOf(epoch), offset })),
        );
        const answers = (asked: Pick<Window, "seek" | "covers">) =>
          positions.map(
            (position) => `${position.offset}: ${asked.seek(position)} ${asked.covers(position)}`,
          );
        expect(answers(window)).toEqual(answers(naive));
      }
    }),
    { numRuns: 60 },
  );
});

test("has no entry where nothing is", () => {
  const window = new Window(channel, { epoch: epochOf(1), offset: 3 });
  expect(() => window.at(0)).toThrow(RangeError);
  expect(window.covers({ epoch: epochOf(1), offset: 3 })).toBe(true);
  expect(window.covers({ epoch: epochOf(1), offset: 2 })).toBe(false);
});

test("gives back the places of entries that are gone", () => {
  const window = new Window(channel, { epoch: epochOf(1), offset: 0 });
  for (let offset = 1; offset <= 1000; offset++) {
    const message = { channel, epoch: epochOf(1), offset, time: 0, event: "message", json: "1" };
    window.push(Entry.ofMessage(message));
    window.dropBefore(window.end - (offset % 50));
    expect(window.places).toBeLessThanOrEqual(2 * (window.end - window.first) + 33);
  }
});
