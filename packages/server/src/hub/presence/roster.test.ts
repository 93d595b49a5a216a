import { expect, test } from "vitest";
import { Roster } from "./roster.js";

test("a member has been there since the first node has known them, whichever nodes are left", () => {
  const roster = new Roster({ used: 0, most: 10 });
  const present = (since: number) => ({ id: "u", user: "u", since, at: since });
  expect(roster.since("u")).toBeUndefined();
  roster.put("late", present(20));
  roster.put("early", present(10));
  expect(roster.since("u")).toBe(10);
  expect(JSON.parse(roster.text("u") ?? "")).toMatchObject({ since: 10 });
  roster.delete("early", "u");
  expect(roster.since("u")).toBe(20);
  roster.delete("late", "u");
  expect([roster.since("u"), roster.count]).toEqual([undefined, 0]);
});
