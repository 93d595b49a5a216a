/** What everything comes to in the end: nothing is held, and no timer waits. */
import { type ChannelName, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { draft, Heard, type Open, setState } from "./harness.contract.js";

const HOUR_MS = 3_600_000;
const NOT_OURS = "the engine's time is not ours";
/** More than any engine looks at in one go. */
const CHANNELS = 2500;
const RETENTION = { messages: 3, ageMs: 60_000 };

export function givingBackContract(open: Open): void {
  describe("giving back", () => {
    test("leaves nothing of channels, messages, states, keys and sessions when all have gone", async ({
      skip,
    }) => {
      const { engine, passTime = skip(NOT_OURS), ignores = [] } = await open({ maxStubs: 10 });
      const stats = async () => (await engine.stats?.()) ?? skip("the engine counts nothing");
      const names = Array.from({ length: CHANNELS }, (_, index) => nameOf(index));
      for (let round = 0; round < 4; round++) {
        await Promise.all(
          names.map((name) => {
            const idempotency = { key: `${round} ${name}`, principal: "p" };
            return engine.logs.append(name, draft(round, { idempotency }), RETENTION);
          }),
        );
      }
      const some = names.slice(0, 20);
      for (const name of some) await setState(engine, name, { a: "b".repeat(100) }, RETENTION);
      await Promise.all(names.map((name) => engine.sessions.put(name, "session", 60_000)));
      const heard = new Heard();
      for (const name of some) await engine.logs.listen(name, heard);
      expect(await stats()).toMatchObject({
        channels: CHANNELS,
        idempotencyKeys: 4 * CHANNELS,
        sessions: CHANNELS,
      });

      for (const name of some) await setState(engine, name, null, RETENTION);
      for (const name of some) engine.logs.unlisten(name, heard);
      // Each moment lets the engine do as much as it does at once.
      for (let times = 0; times < 8; times++) await passTime(HOUR_MS);
      const left = { channels: 0, messages: 0, bytes: 0, idempotencyKeys: 0, sessions: 0 };
      expect(await stats()).toMatchObject({ ...left, ...(!ignores.includes("maxStubs") && { stubs: 10 }) });
      expect(await engine.logs.list(null, 10)).toEqual([]);
    });

    test("lets no timer wait after the end", async ({ skip }) => {
      const { engine, clock, passTime, close } = await open();
      if (!passTime) skip(NOT_OURS);
      await engine.logs.append(nameOf(1), draft(1), RETENTION);
      await engine.logs.listen(nameOf(1), new Heard());
      await engine.sessions.put("h", "s", 60_000);
      await close();
      expect(clock.timers).toBe(0);
    });
  });
}

function nameOf(index: number): ChannelName {
  return parseChannelName(`c:${String(index).padStart(5, "0")}`);
}
