/** Spaces: named values with compare-and-set, and the version that tells of changes. */
import { parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import type { Space } from "../space.js";
import { draft, KEEP_ALL, numbersTo, type Open } from "./harness.contract.js";

export function spaceContract(open: Open): void {
  describe("space", () => {
    test("sets a value only where the value is the expected one", async () => {
      const { engine, peer } = await open();
      const [space, elsewhere] = [engine.space("locks"), peer.space("locks")];
      expect(await space.get("a")).toBeNull();
      expect(await space.compareAndSet("a", "x", "1")).toBe(false);
      expect(await space.compareAndSet("a", null, "1")).toBe(true);
      expect(await elsewhere.compareAndSet("a", null, "2")).toBe(false);
      expect(await elsewhere.compareAndSet("a", "1", "2")).toBe(true);
      expect(await space.get("a")).toBe("2");
      expect(await space.compareAndSet("a", "1", null)).toBe(false);
      expect(await space.compareAndSet("a", "2", null)).toBe(true);
      expect(await elsewhere.get("a")).toBeNull();
      expect(await space.compareAndSet("a", null, null)).toBe(true);
      expect(await space.get("a")).toBeNull();
    });

    test("says whether its values outlive the process; those of a volatile space need not, and it does all that another does", async () => {
      const { engine } = await open();
      expect(typeof engine.space("locks").durable).toBe("boolean");
      const volatile = { volatile: true };
      const [space, elsewhere] = [engine.space("tickets", volatile), engine.space("tickets", volatile)];
      expect(engine.durable || !space.durable).toBe(true);
      const before = await elsewhere.version();
      expect(await space.compareAndSet("a", null, "1")).toBe(true);
      expect(await elsewhere.version()).not.toBe(before);
      expect(await elsewhere.compareAndSet("a", null, "2")).toBe(false);
      expect(await elsewhere.get("a")).toBe("1");
      expect(await elsewhere.list(null, 10)).toEqual([{ key: "a", value: "1" }]);
    });

    test("an empty text is a value", async () => {
      const { engine } = await open();
      const space = engine.space("locks");
      expect(await space.compareAndSet("", null, "")).toBe(true);
      expect(await space.get("")).toBe("");
      expect(await space.list(null, 10)).toEqual([{ key: "", value: "" }]);
      expect(await space.compareAndSet("", null, "1")).toBe(false);
      expect(await space.compareAndSet("", "", "1")).toBe(true);
    });

    test("lets one of many at once succeed", async () => {
      const { engine, peer } = await open();
      const nodes = [engine.space("sequences"), peer.space("sequences")];
      const outcomes = await Promise.all(
        numbersTo(50).map((n) => nodes[n % 2]?.compareAndSet("next", null, String(n))),
      );
      expect(outcomes.filter((outcome) => outcome)).toHaveLength(1);
      expect(await engine.space("sequences").get("next")).toBe(String(outcomes.indexOf(true) + 1));
    });

    test("counts without a hole, however many count at once", async () => {
      const { engine, peer } = await open();
      const next = async (space: Space): Promise<number> => {
        for (;;) {
          const found = await space.get("invoice");
          const number = Number(found ?? 0) + 1;
          if (await space.compareAndSet("invoice", found, String(number))) return number;
        }
      };
      const nodes = [engine.space("sequences"), peer.space("sequences")] as const;
      const numbers = await Promise.all(numbersTo(30).map((n) => next(nodes[n % 2 ? 1 : 0])));
      expect(numbers.sort((a, b) => a - b)).toEqual(numbersTo(30));
    });

    test("is kept apart from other spaces and from channels, and lists its keys in order, page by page", async () => {
      const { engine, peer } = await open();
      const [locks, others] = [engine.space("locks"), engine.space("lock")];
      const outside = ["\u{1F600}", "\uFFFD"];
      for (const key of ["b", ...outside, "a", "ä:1", "a:b", "a:b:c", "c"]) {
        await locks.compareAndSet(key, null, `${key}!`);
      }
      await others.compareAndSet("a", null, "other");
      await engine.logs.append(parseChannelName("a:b:b"), draft(1), KEEP_ALL);
      expect(await locks.list(null, 2)).toEqual([
        { key: "a", value: "a!" },
        { key: "a:b", value: "a:b!" },
      ]);
      const keysAfter = async (key: string | null) =>
        (await peer.space("locks").list(key, 100)).map((each) => each.key);
      // Bytes of UTF-8 sort as code points do, and not as JavaScript's texts.
      expect(await keysAfter("a:b")).toEqual(["a:b:c", "b", "c", "ä:1", "\uFFFD", "\u{1F600}"]);
      expect(await keysAfter("a:b:b")).toEqual(["a:b:c", "b", "c", "ä:1", "\uFFFD", "\u{1F600}"]);
      expect(await keysAfter("\u{1F600}")).toEqual([]);
      expect(await others.list(null, 10)).toEqual([{ key: "a", value: "other" }]);
      await locks.compareAndSet("a:b", "a:b!", null);
      expect(await locks.list(null, 2)).toEqual([
        { key: "a", value: "a!" },
        { key: "a:b:c", value: "a:b:c!" },
      ]);
      expect(await locks.list(null, 0)).toEqual([]);
    });

    test("has another version after each change, on each node, and the same version without one", async () => {
      const { engine, peer } = await open();
      const [space, elsewhere] = [engine.space("keys"), peer.space("keys")];
      const versions = [await elsewhere.version()];
      expect(await elsewhere.version()).toBe(versions[0]);
      for (const [expected, value] of [
        [null, "1"],
        ["1", "2"],
        ["2", null],
        [null, "1"],
      ] as const) {
        await space.compareAndSet("a", expected, value);
        versions.push(await elsewhere.version());
      }
      expect(new Set(versions).size).toBe(versions.length);
      const last = await elsewhere.version();
      await engine.space("others").compareAndSet("a", null, "1");
      expect(await space.compareAndSet("a", "2", "3")).toBe(false);
      await space.get("a");
      await space.list(null, 10);
      expect(await elsewhere.version()).toBe(last);
    });

    test("a version that was asked before a list tells of every change that the list does not have", async () => {
      const { engine, peer } = await open();
      const [space, elsewhere] = [engine.space("keys"), peer.space("keys")];
      const setting = numbersTo(40).map((n) => space.compareAndSet(`k${n}`, null, "v"));
      let seen = await elsewhere.version();
      let keys = (await elsewhere.list(null, 100)).length;
      const reading = async () => {
        const version = await elsewhere.version();
        if (version !== seen) keys = (await elsewhere.list(null, 100)).length;
        seen = version;
      };
      for (const each of setting) {
        await each;
        await reading();
      }
      await reading();
      expect(keys).toBe(40);
    });

    test("refuses a key that is too long, and every call after the end", async () => {
      const { engine, close } = await open();
      const space = engine.space("locks");
      const tooLong = { code: "invalid_request", message: expect.stringMatching(/1002 bytes.*1000/) };
      await expect(space.compareAndSet("ä".repeat(501), null, "1")).rejects.toMatchObject(tooLong);
      await expect(space.get("ä".repeat(501))).rejects.toMatchObject(tooLong);
      expect(await space.compareAndSet("ä".repeat(500), null, "1")).toBe(true);
      await close();
      const unavailable = { code: "unavailable" };
      await expect(space.get("a")).rejects.toMatchObject(unavailable);
      await expect(space.compareAndSet("a", null, "1")).rejects.toMatchObject(unavailable);
      await expect(space.list(null, 1)).rejects.toMatchObject(unavailable);
      await expect(space.version()).rejects.toMatchObject(unavailable);
    });
  });
}
