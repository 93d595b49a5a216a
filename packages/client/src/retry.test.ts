import fc from "fast-check";
import { expect, test } from "vitest";
import { ClientError } from "./client-error.js";
import { Retry } from "./retry.js";
import { FakeClock } from "./testing/fake-clock.js";

const aRefusal = fc.record({
  /** Since the one before. */
  afterMs: fc.oneof(fc.nat(2000), fc.nat(100_000)),
  /** Seconds. */
  retryAfterSeconds: fc.option(fc.integer({ min: 0, max: 100 })),
  code: fc.constantFrom("rate_limited", "unavailable"),
});

const NEVER = { earliest: 0, latest: 0 };

test("what was refused is asked again once, after the longest wait of its round, which doubles up to 30 s and begins anew after a minute", () => {
  fc.assert(
    fc.property(
      fc.array(aRefusal, { maxLength: 12 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (refusals, chance) => {
        const clock = new FakeClock();
        const called: number[] = [];
        const retry = new Retry({ clock, random: () => chance }, () => void called.push(clock.now()));
        let [rounds, lastCall] = [0, Number.NEGATIVE_INFINITY];
        let told = new Set<string>();
        /** When the round under way may end. */
        let round: { readonly earliest: number; readonly latest: number } | null = null;
        const pass = (ms: number) => {
          const before = called.length;
          clock.advance(ms);
          if (!round || round.earliest > clock.now()) expect(called).toHaveLength(before);
          if (!round || called.length === before) return;
          expect(called).toHaveLength(before + 1);
          lastCall = called.at(-1) ?? 0;
          expect(lastCall).toBeGreaterThanOrEqual(round.earliest);
          expect(lastCall).toBeLessThanOrEqual(round.latest);
          round = null;
          expect(clock.pending).toBe(0);
        };
        for (const { afterMs, retryAfterSeconds, code } of refusals) {
          pass(afterMs);
          const now = clock.now();
          if (!round && now - lastCall > 60_000) [rounds, told] = [0, new Set()];
          if (!round) rounds++;
          const leastMs = Math.max(Math.min(30_000, 500 * 2 ** rounds), (retryAfterSeconds ?? 0) * 1000);
          const until: { readonly earliest: number; readonly latest: number } = round ?? NEVER;
          round = {
            earliest: Math.max(until.earliest, now + leastMs),
            latest: Math.max(until.latest, now + leastMs * 1.5 + 1),
          };
          expect(
            retry.after(
              new ClientError(code, "no", "Wait.", { retryAfterSeconds: retryAfterSeconds ?? undefined }),
            ),
          ).toBe(!told.has(code));
          told.add(code);
          expect(clock.pending).toBe(1);
        }
        pass(200_000);
        expect(round).toBeNull();
      },
    ),
  );
});

test("what is given up is not asked again, and the next refusal waits for itself", () => {
  const clock = new FakeClock();
  let calls = 0;
  const retry = new Retry({ clock, random: () => 0 }, () => void calls++);
  const refusal = new ClientError("rate_limited", "no", "Wait.");
  retry.after(refusal);
  retry.cancel();
  retry.cancel();
  expect(clock.pending).toBe(0);
  retry.after(refusal);
  clock.advance(1999);
  expect(calls).toBe(0);
  clock.advance(1);
  expect(calls).toBe(1);
});
