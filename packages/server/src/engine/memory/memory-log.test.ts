import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BUSY, draft, FOREIGN, NO_LIMIT, numbersTo, offsetsOf } from "../contract/harness.contract.js";
import { LargestFirst } from "./largest-first.js";
import { LogSizes } from "./log-sizes.js";
import { MemoryLog } from "./memory-log.js";

function makeLog(head = 0): MemoryLog {
  return new MemoryLog({ epoch: FOREIGN, head, time: 0, startedOver: false });
}

describe("a memory log", () => {
  test("holds what a list would hold, whatever is appended and dropped", () => {
    const step = fc.oneof(
      fc.record({ keep: fc.nat(20), ageMs: fc.nat(30) }),
      fc.constant("drop" as const),
      fc.constant("trim" as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.nat(5), (steps, head) => {
        const log = makeLog(head);
        let held: { offset: number; at: number }[] = [];
        let retention = { messages: 0, ageMs: 0 };
        for (const [at, step] of steps.entries()) {
          if (step === "drop") {
            log.dropOldest();
            held.shift();
          } else {
            if (step !== "trim") {
              retention = { messages: step.keep, ageMs: step.ageMs };
              held.push({ offset: log.append(BUSY, draft(at), retention, at, at).offset, at });
            }
            log.trim(at);
            if (held.length > retention.messages) held = held.slice(held.length - retention.messages);
            held = held.filter((message) => at - message.at <= retention.ageMs);
          }
          expect(log.count).toBe(held.length);
          expect(log.first).toBe(log.head - held.length + 1);
          expect(log.places).toBeLessThanOrEqual(2 * held.length + 1);
          expect(log.bytes === 0).toBe(held.length === 0);
        }
        const offsets = held.map(({ offset }) => offset);
        expect(offsetsOf(log.from(0, NO_LIMIT))).toEqual(offsets);
        for (const offset of offsets) {
          expect(offsetsOf(log.from(offset, { messages: 1, bytes: 1 }))).toEqual([offset]);
        }
      }),
    );
  });

  test("counts on from where it stood", () => {
    const log = makeLog(41);
    expect([log.first, log.head]).toEqual([42, 41]);
    expect(log.append(BUSY, draft(1), { messages: 1, ageMs: 1 }, 0, 0).offset).toBe(42);
  });

  test("does not become slow when a long log drops one message for each that comes", () => {
    const log = makeLog();
    const retention = { messages: 50_000, ageMs: 1000 };
    for (const n of numbersTo(300_000)) {
      log.append(BUSY, { event: "e", json: "1" }, retention, n, 0);
      log.trim(0);
    }
    expect([log.first, log.head, log.count]).toEqual([250_001, 300_000, 50_000]);
  });
});

describe("largest first", () => {
  test("finds a log that no other is twice as large as", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(100_000)), { maxLength: 60 }), (changes) => {
        const logs = numbersTo(10).map(() => ({ bytes: 0, count: 0 }));
        const sizes = new LargestFirst<{ bytes: number; count: number }>();
        for (const [index, bytes] of changes) {
          const log = logs[index];
          if (!log) continue;
          const before = { ...log };
          log.bytes = bytes;
          log.count = bytes === 0 ? 0 : 1;
          sizes.changed(log, before.bytes, before.count);
          const largest = Math.max(...logs.map(({ bytes }) => bytes));
          const found = sizes.largest()?.bytes ?? 0;
          expect(found === 0).toBe(largest === 0);
          if (largest >= 1024) expect(found * 2).toBeGreaterThan(largest);
        }
        expect(sizes.bytes).toBe(logs.reduce((sum, { bytes }) => sum + bytes, 0));
        expect(sizes.count).toBe(logs.reduce((sum, { count }) => sum + count, 0));
      }),
    );
  });

  test("lets the log go first, of two in a class, that has been in it the longest", () => {
    const [older, newer] = [
      { bytes: 1500, count: 1 },
      { bytes: 1900, count: 1 },
    ];
    const sizes = new LargestFirst<{ bytes: number; count: number }>();
    sizes.changed(older, 0, 0);
    sizes.changed(newer, 0, 0);
    expect(sizes.largest()).toBe(older);
    sizes.clear();
    expect(sizes.largest()).toBeUndefined();
    expect([sizes.bytes, sizes.count]).toEqual([0, 0]);
  });
});

describe("the sizes of logs", () => {
  const OWNERS = ["ann", "bob", null];
  const step = fc.record({
    log: fc.nat(11),
    does: fc.constantFrom("append", "append", "append", "append", "drop", "throw away"),
    length: fc.nat(3000),
  });

  test("name a log of an owner who has more than a quarter, whenever there is one, and else one of the largest", () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 150 }),
        fc.integer({ min: 500, max: 20_000 }),
        (steps, most) => {
          const sizes = new LogSizes();
          const logs = Array.from({ length: 12 }, () => makeLog());
          const ownerOf = (index: number) => OWNERS[index % OWNERS.length] ?? null;
          const bytesOf = (owner: string | null) =>
            logs.reduce((sum, { bytes }, index) => sum + (ownerOf(index) === owner ? bytes : 0), 0);
          const changing = (log: MemoryLog, change: () => void) => {
            const { bytes, count } = log;
            change();
            sizes.changed(log, bytes, count);
          };
          for (const { log: index, does, length } of steps) {
            const log = logs[index] ?? makeLog();
            const owner = ownerOf(index);
            if (does === "append") {
              if (log.list === null && owner) sizes.own(log, owner);
              const text = draft("x".repeat(length));
              changing(log, () => log.append(BUSY, text, { messages: 100, ageMs: 1000 }, 0, 0));
            } else if (does === "drop") changing(log, () => log.dropOldest());
            else {
              changing(log, () => log.clear());
              sizes.gone(log);
              logs[index] = makeLog();
            }
            while (sizes.bytes > most) {
              const next = sizes.next(most);
              if (!next) throw new Error("there is none");
              expect(next.count).toBeGreaterThan(0);
              const rich = OWNERS.filter((each) => each !== null && bytesOf(each) > Math.ceil(most / 4));
              const of = ownerOf(logs.indexOf(next));
              if (rich.length > 0) expect(rich).toContain(of);
              changing(next, () => next.dropOldest());
            }
            expect(sizes.bytes).toBe(logs.reduce((sum, { bytes }) => sum + bytes, 0));
          }
        },
      ),
    );
  });
});
