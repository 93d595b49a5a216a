import fc from "fast-check";
import { expect, test } from "vitest";
import { TokenAges } from "./token-ages.js";

const SKEW_MS = 30_000;
const START = Date.UTC(2026, 0, 1);

const step = fc.record({
  what: fc.constantFrom("make", "show", "show", "log out", "show an old one"),
  user: fc.constantFrom("alice", "bob"),
  ms: fc.integer({ min: 1, max: 3000 }),
});

test("whatever a clock that makes tokens is ahead by, no token survives a log-out that it was shown before, and new ones are accepted", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0, 1000, 2000, SKEW_MS),
      fc.integer({ min: 0, max: SKEW_MS - 1000 }),
      fc.boolean(),
      fc.array(step, { minLength: 5, maxLength: 60 }),
      (skewMs, ahead, whole, steps) => {
        const aheadMs = Math.min(ahead, Math.max(0, skewMs - 1000));
        const ages = new TokenAges();
        let now = START;
        let heard = 0;
        const logOuts = new Map<string, { user: string; at: number; until: number; heard: number }>();
        const revoked = new Set<string>();
        const tokens: { id: string; user: string; issued: number; madeAt: number; shown: boolean }[] = [];
        const judge = (token: (typeof tokens)[number]) =>
          revoked.has(token.id) ? "refused" : ages.judge(token, logOuts.get(token.user), now, skewMs);
        const make = (user: string) => {
          const made = now + aheadMs;
          const issued = whole ? Math.floor(made / 1000) * 1000 : made;
          const token = { id: `t${tokens.length}`, user, issued, madeAt: now, shown: false };
          tokens.push(token);
          return token;
        };
        // It is known how far ahead the clock is, as soon as somebody has shown a token.
        judge(make("carol"));
        for (const { what, user, ms } of steps) {
          now += ms;
          const loggedOutAt = () => logOuts.get(user)?.at ?? 0;
          if (what === "make") make(user);
          else if (what === "log out") {
            const at = now;
            const logOut = { user, at, until: at + 86_400_000 };
            for (const { id } of ages.shownBefore(new Map([[user, logOut]]))) revoked.add(id);
            logOuts.set(user, { ...logOut, heard: ++heard });
          } else if (what === "show an old one") {
            const old = tokens.find(
              (each) => each.user === user && each.shown && each.madeAt < loggedOutAt(),
            );
            if (old) expect(judge(old)).not.toBe("accepted");
          } else {
            const token =
              tokens.findLast((each) => each.user === user && each.madeAt > loggedOutAt()) ?? make(user);
            now += 1;
            expect(judge(token)).toBe("accepted");
            token.shown = true;
          }
        }
      },
    ),
    { numRuns: 500 },
  );
});

const logOut = (at: number, heard = 1) => ({ user: "alice", at, until: at + 86_400_000, heard });
const token = (id: string, issued: number) => ({ id, user: "alice", issued });

test("of a clock that nobody knows to be ahead, a token from the future is odd after a log-out; the next one is not", () => {
  const ages = new TokenAges();
  expect(ages.judge(token("1", START + 20_000), logOut(START), START + 1, SKEW_MS)).toBe("odd");
  expect(ages.judge(token("2", START + 21_000), logOut(START), START + 1001, SKEW_MS)).toBe("accepted");
});

test("a token is remembered for its whole second, also where clocks are taken to be right and others are shown meanwhile", () => {
  const ages = new TokenAges();
  expect(ages.judge(token("1", START), undefined, START, 0)).toBe("accepted");
  expect(ages.judge({ ...token("2", START), user: "bob" }, undefined, START + 500, 0)).toBe("accepted");
  const loggedOut = logOut(START + 999);
  expect(ages.shownBefore(new Map([[loggedOut.user, loggedOut]]))).toMatchObject([{ id: "1" }]);
});

test("a log-out of an earlier process covers its whole second, since nobody remembers what was shown", () => {
  const ages = new TokenAges();
  expect(ages.judge(token("1", START), logOut(START + 700), START + 800, SKEW_MS)).toBe("accepted");
  expect(ages.judge(token("2", START), logOut(START, 0), START + 800, SKEW_MS)).toBe("refused");
});

test("tokens that were shown before log-outs of several users are found at once, each to be remembered as long as its log-out", () => {
  const ages = new TokenAges();
  for (const user of ["alice", "bob", "carol"]) {
    ages.judge({ id: `of ${user}`, user, issued: START }, undefined, START, SKEW_MS);
  }
  const logOuts = new Map(["alice", "carol"].map((user, until) => [user, { user, at: START + 1, until }]));
  expect(ages.shownBefore(logOuts)).toEqual([
    { id: "of alice", until: 0 },
    { id: "of carol", until: 1 },
  ]);
});
