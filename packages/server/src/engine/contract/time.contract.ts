/** The engine's time: one for all nodes, and told with the answers that leases are decided by. */
import { describe, expect, test } from "vitest";
import { BUSY, draft, KEEP_ALL, type Open, setState } from "./harness.contract.js";

export function timeContract(open: Open): void {
  describe("the time", () => {
    test("is one for all nodes, and goes on", async ({ skip }) => {
      const { engine, peer, clock, passTime = skip("the engine's time is not ours") } = await open();
      const begin = clock.now();
      expect([await engine.now(), await peer.now()]).toEqual([begin, begin]);
      await passTime(5000);
      expect([await engine.now(), await peer.now()]).toEqual([begin + 5000, begin + 5000]);
    });

    test("comes with what was appended, with a state and with a repeated answer", async () => {
      const { engine, peer, passTime } = await open();
      const idempotency = { key: "k", principal: "p" };
      const times = [await engine.now()];
      times.push((await peer.logs.append(BUSY, draft(1, { idempotency }), KEEP_ALL)).time);
      await passTime?.(1000);
      times.push((await peer.logs.append(BUSY, draft(1, { idempotency }), KEEP_ALL)).time);
      await passTime?.(1000);
      times.push((await setState(engine, BUSY, { a: 1 })).time);
      await passTime?.(1000);
      times.push((await peer.logs.state(BUSY)).time, await engine.now());
      expect(times).toEqual([...times].sort((a, b) => a - b));
      const [begin = 0] = times;
      if (passTime) expect(times.map((time) => time - begin)).toEqual([0, 0, 1000, 2000, 3000, 3000]);
    });

    test("can be set back, though messages of a channel are never older than those before", async ({
      skip,
    }) => {
      const { engine, clock, passTime = skip("the engine's time is not ours") } = await open();
      await engine.logs.append(BUSY, draft(1), KEEP_ALL);
      await passTime(0);
      clock.turnBack(60_000);
      expect(await engine.now()).toBe(clock.now());
      expect((await engine.logs.append(BUSY, draft(2), KEEP_ALL)).time).toBe(clock.now());
    });

    test("is not told after the end", async () => {
      const { engine, close } = await open();
      await close();
      await expect(engine.now()).rejects.toMatchObject({ code: "unavailable" });
    });
  });
}
