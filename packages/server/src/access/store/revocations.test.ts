import fc from "fast-check";
import { expect, test } from "vitest";
import { MAX_REVOCATIONS, Revocations, withRevoked } from "./revocations.js";
import { NOTHING_STORED } from "./stored.js";

const KEPT_MS = 1000;

test("what was revoked stays in the store as long as it has to, whoever and whatever is revoked after it", () => {
  const step = fc.record({
    kind: fc.constantFrom("user", "token"),
    name: fc.constantFrom("a", "b", "c"),
    // The clock may be set back.
    ms: fc.integer({ min: -50, max: 400 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let data = NOTHING_STORED;
      let now = 1_000_000;
      // What was dropped once does not come back when the clock is set back.
      let latest = now;
      const users = new Map<string, { at: number; until: number }>();
      const tokens = new Map<string, number>();
      for (const { kind, name, ms } of steps) {
        now += ms;
        latest = Math.max(latest, now);
        const until = now + KEPT_MS;
        if (kind === "user") {
          data = withRevoked(data, { tokens: [], users: [{ user: name, at: now, until }] }, now);
          const before = users.get(name);
          const isKept = before !== undefined && before.until > latest;
          users.set(name, {
            at: isKept ? Math.max(before.at, now) : now,
            until: Math.max(isKept ? before.until : until, until),
          });
        } else {
          data = withRevoked(data, { tokens: [{ id: name, until }], users: [] }, now);
          tokens.set(name, Math.max(tokens.get(name) ?? until, until));
        }
        // Read again, as after a restart.
        data = JSON.parse(JSON.stringify(data)) as typeof data;
        for (const [user, { at, until }] of users) {
          const kept = data.revokedUsers.find((each) => each.user === user);
          if (until > latest) expect(kept?.at).toBeGreaterThanOrEqual(at);
        }
        for (const [id, until] of tokens) {
          if (until > latest) expect(data.revokedTokens.map((each) => each.id)).toContain(id);
        }
        const names = data.revokedUsers.map(({ user }) => user);
        expect(new Set(names).size).toBe(names.length);
      }
    }),
  );
});

test("the same token, revoked again and again, pushes no other out", () => {
  let data = withRevoked(NOTHING_STORED, { tokens: [{ id: "first", until: 10 }], users: [] }, 1);
  const again = Array.from({ length: MAX_REVOCATIONS + 1 }, () => ({ id: "other", until: 10 }));
  data = withRevoked(data, { tokens: again, users: [] }, 1);
  expect(data.revokedTokens.map(({ id }) => id)).toEqual(["first", "other"]);
});

test("a user is covered by a log-out that was heard of later, and by none of an earlier one", () => {
  const revocations = new Revocations();
  const alice = { user: "alice", token: null, issued: Number.NEGATIVE_INFINITY } as never as Parameters<
    Revocations["covers"]
  >[0];
  revocations.add({ tokens: [], users: [{ user: "alice", at: 5, until: 100 }] }, 7);
  expect(revocations.covers({ ...alice, known: 6 })).toBe(true);
  expect(revocations.covers({ ...alice, known: 7 })).toBe(false);
  revocations.renew("alice", 8);
  expect(revocations.covers({ ...alice, known: 7 })).toBe(true);
  expect(revocations.covers({ ...alice, user: "bob", known: 0 })).toBe(false);
});
