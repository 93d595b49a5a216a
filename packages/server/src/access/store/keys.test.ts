import crypto from "node:crypto";
import { parseChannelName } from "@fanfare/protocol";
import { describe, expect, test, vi } from "vitest";
import { systemRandom } from "../../base/clock.js";
import { seenByImports } from "../../testing/seen-by-imports.js";
import { accessSettings } from "../settings.js";
import { type ApiKey, Keys, newKey } from "./keys.js";

const KEY = "0123456789abcdef0123456789abcdef";
const grants = [{ channels: "order:*", actions: ["publish"] }] as const;

describe("API keys", () => {
  test("are found when they are exactly right, whichever it is", () => {
    const keys = new Keys(["another-key-of-some-length", KEY, { key: `${KEY}2`, name: "shop", grants }], []);
    expect(keys.find(KEY)).toMatchObject({ kind: "key", key: "config-2" });
    expect(keys.find(`${KEY}2`)).toMatchObject({ key: "shop" });
    for (const wrong of ["", `${KEY}x`, KEY.slice(1), KEY.toUpperCase(), ` ${KEY}`]) {
      expect(keys.find(wrong), wrong).toBeNull();
    }
  });

  test("are compared all, as hashes of one length and in constant time, whichever fits", () => {
    const keys = new Keys([KEY, "another-key-of-some-length", `${KEY}3`], []);
    const compared = seenByImports(vi.spyOn(crypto, "timingSafeEqual"));
    for (const given of [KEY, `${KEY}3`, "wrong", "", KEY.slice(0, -1), "x".repeat(8000)]) {
      compared.mockClear();
      keys.find(given);
      const sizes = compared.mock.calls.map((pair) => pair.map((hash) => hash.byteLength));
      expect(sizes, given).toEqual([
        [32, 32],
        [32, 32],
        [32, 32],
      ]);
    }
  });

  test("may do everything, or what they were given", () => {
    const keys = new Keys([KEY, { key: `${KEY}2`, grants }], []);
    const channel = parseChannelName("order:1");
    expect(keys.find(KEY)?.grants.find("admin", null)).not.toBeNull();
    expect(keys.find(`${KEY}2`)?.grants.find("publish", channel)).not.toBeNull();
    expect(keys.find(`${KEY}2`)?.grants.find("subscribe", channel)).toBeNull();
  });

  test("that are made are kept as hashes only, and are known by what is kept", () => {
    const { key, stored } = newKey({ name: "shop", grants }, 5, systemRandom);
    expect(key).toMatch(/^fanfare_[0-9a-f]{12}_[\w-]{32}$/);
    expect(JSON.stringify(stored)).not.toContain(key.slice(-32));
    expect(stored).toMatchObject({ name: "shop", grants, created: 5 });
    const keys = new Keys([], [stored]);
    expect(keys.find(key)).toMatchObject({ key: stored.id });
    const holder = keys.find(key);
    if (!holder) throw new Error("the key is not found");
    expect(keys.current(holder)).toBe(holder);
  });

  test("are the same whatever they are called, and another is not one of the same name", () => {
    const [holder, other] = [new Keys([KEY], []).find(KEY), new Keys([`${KEY}2`], []).find(`${KEY}2`)];
    if (!holder || !other) throw new Error("a key is not found");
    expect(other.key).toBe(holder.key);
    const later = new Keys([`${KEY}1`, KEY], []);
    expect(later.current(holder)).toMatchObject({ key: "config-2" });
    expect(later.current(other)).toBeNull();
  });

  test("that can be guessed are refused, without being shown", () => {
    const settings = (...apiKeys: ApiKey[]) => accessSettings({ apiKeys });
    expect(() => settings("short-secret")).toThrow(/^apiKeys\[0\] is a text of 12 characters.*openssl rand/);
    expect(() => settings({ key: "short-secret" })).toThrow(/^apiKeys\[0\]\.key is a text of 12 characters/);
    expect(() => settings("short-secret")).not.toThrow(/short-secret/);
    expect(() => settings("x".repeat(15))).toThrow(/Give at least 16/);
    expect(settings("x".repeat(16)).apiKeys).toHaveLength(1);
  });

  test("are so many at most", () => {
    const { stored } = newKey({ name: "shop", grants }, 5, systemRandom);
    expect(
      () =>
        new Keys(
          [],
          Array.from({ length: 1001 }, () => stored),
        ),
    ).toThrow(/1001 API keys/);
  });
});
