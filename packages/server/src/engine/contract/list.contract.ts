/** Listing: which channels there are, in order, page by page. */
import { parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { appendAll, BUSY, Heard, KEEP_ALL, type Open, OTHER, QUIET } from "./harness.contract.js";

const HOUR_MS = 3_600_000;

export function listContract(open: Open): void {
  describe("list", () => {
    test("is empty where there is no channel", async () => {
      const { engine } = await open();
      expect(await engine.logs.list(null, 10)).toEqual([]);
      expect(await engine.logs.list(BUSY, 10)).toEqual([]);
    });

    test("says where each channel stands, on whatever node it is asked", async () => {
      const { engine, peer } = await open();
      const other = await appendAll(engine, OTHER, [1]);
      const busy = await appendAll(engine, BUSY, [1, 2, 3], { ...KEEP_ALL, messages: 2 });
      const [first, second, ...rest] = await peer.logs.list(null, 10);
      expect(first).toMatchObject({ channel: BUSY, epoch: busy.epoch, head: 3 });
      expect([undefined, 2]).toContain(first?.first);
      expect(second).toMatchObject({ channel: OTHER, epoch: other.epoch, head: 1 });
      expect(rest).toEqual([]);
    });

    test("has the channels that are only listened to here, for as long as they are", async () => {
      const { engine } = await open();
      const heard = new Heard();
      const { epoch } = await engine.logs.listen(QUIET, heard);
      expect(await engine.logs.list(null, 10)).toMatchObject([{ channel: QUIET, epoch, head: 0 }]);
      engine.logs.unlisten(QUIET, heard);
      expect(await engine.logs.list(null, 10)).toEqual([]);
    });

    test("goes by code units, and page by page meets every channel once", async () => {
      const { engine } = await open();
      const names = ["Z", "a", "a:b", "a-b", "a~b", "aa", "a:a", "_", "0", "10", "9"].map(parseChannelName);
      for (const name of names) await appendAll(engine, name, [1]);
      const sorted = [...names].sort();
      for (const limit of [1, 3, 4, 11, 12]) {
        const found: string[] = [];
        for (;;) {
          const after = found.length === 0 ? null : parseChannelName(found.at(-1) ?? "");
          const page = await engine.logs.list(after, limit);
          expect(page.length).toBeLessThanOrEqual(limit);
          found.push(...page.map(({ channel }) => channel));
          if (page.length < limit) break;
        }
        expect(found).toEqual(sorted);
      }
    });

    test("goes on after a name that is no channel, or none any more", async () => {
      const { engine } = await open();
      await appendAll(engine, parseChannelName("a"), [1]);
      await appendAll(engine, parseChannelName("c"), [1]);
      expect(await engine.logs.list(parseChannelName("b"), 10)).toMatchObject([{ channel: "c" }]);
      expect(await engine.logs.list(parseChannelName("c"), 10)).toEqual([]);
    });

    test("has no channel that is forgotten", async ({ skip }) => {
      const { engine, passTime = skip("the engine's time is not ours") } = await open();
      await appendAll(engine, BUSY, [1]);
      await passTime(HOUR_MS + 2000);
      expect(await engine.logs.list(null, 10)).toEqual([]);
    });
  });
}
