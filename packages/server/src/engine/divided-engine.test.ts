import { parseChannelName } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { FakeClock } from "../testing/fake-clock.js";
import {
  appendAll,
  draft,
  Heard,
  headOf,
  KEEP_ALL,
  NO_LIMIT,
  valuesOf,
} from "./contract/harness.contract.js";
import { DividedEngine } from "./divided-engine.js";
import { MemoryEngine } from "./memory/memory-engine.js";

const LASTING = parseChannelName("order:1");
const PASSING = parseChannelName("ticker:1");

/** The durable part is in memory, too: what counts is who is asked. */
function divided() {
  const clock = new FakeClock();
  const durable = new MemoryEngine({ clock });
  const memory = new MemoryEngine({ clock });
  const isInMemory = (channel: string) => channel.startsWith("ticker:");
  return { durable, memory, engine: new DividedEngine(durable, memory, isInMemory) };
}

describe("a divided engine", () => {
  test("keeps each channel where its rule says, and nowhere else", async () => {
    const { engine, durable, memory } = divided();
    const lasting = await appendAll(engine, LASTING, [1, 2]);
    const passing = await appendAll(engine, PASSING, [1, 2, 3]);
    expect(await durable.logs.list(null, 10)).toMatchObject([{ channel: LASTING, head: 2 }]);
    expect(await memory.logs.list(null, 10)).toMatchObject([{ channel: PASSING, head: 3 }]);
    expect(await engine.logs.heads([PASSING, LASTING, PASSING])).toEqual([passing, lasting, passing]);
    expect(await engine.logs.list(null, 10)).toMatchObject([{ channel: LASTING }, { channel: PASSING }]);
    expect(await engine.logs.list(LASTING, 10)).toMatchObject([{ channel: PASSING, head: 3 }]);
    expect(await engine.logs.list(null, 1)).toMatchObject([{ channel: LASTING }]);
    expect(valuesOf((await engine.logs.read(PASSING, null, NO_LIMIT)).messages)).toEqual([1, 2, 3]);
    expect(await engine.stats()).toMatchObject({ channels: 2, messages: 5 });
  });

  test("announces what is published in either part, until nobody listens", async () => {
    const { engine } = divided();
    for (const channel of [LASTING, PASSING]) {
      const heard = new Heard();
      expect(await engine.logs.listen(channel, heard)).toStrictEqual(await headOf(engine, channel));
      await engine.logs.append(channel, draft(1), KEEP_ALL);
      engine.logs.unlisten(channel, heard);
      await engine.logs.append(channel, draft(2), KEEP_ALL);
      expect(valuesOf(heard.messages)).toEqual([1]);
    }
  });

  test("keeps sessions and signals in the durable part", async () => {
    const { engine, durable } = divided();
    await engine.sessions.put("h", "1", 1000);
    expect(await engine.sessions.renew("h", 1000)).toBe(true);
    expect(await durable.sessions.take("h")).toBe("1");
    expect(await engine.sessions.take("h")).toBeNull();
    const heard: string[] = [];
    const stop = engine.signals.on("t", (json) => heard.push(json));
    await durable.signals.send("t", "1");
    await engine.signals.send("t", "2");
    stop();
    expect(heard).toEqual(["1", "2"]);
  });

  test("lets nobody go on in a durable log after its channel has moved into memory", async () => {
    const { engine, durable } = divided();
    const before = await appendAll(durable, PASSING, [1, 2]);
    await appendAll(engine, PASSING, ["in memory"]);
    expect(await engine.logs.read(PASSING, before, NO_LIMIT)).toMatchObject({ head: 1, lost: "restarted" });
    // The rule has changed back.
    expect(await durable.logs.read(PASSING, before, NO_LIMIT)).toMatchObject({
      head: 0,
      lost: "epoch_changed",
    });
  });

  test("removes a channel where it is, and adds up what an owner holds in both parts", async () => {
    const { engine } = divided();
    const more = parseChannelName("order:2");
    for (const channel of [LASTING, PASSING, more]) {
      await engine.logs.append(channel, draft(1, { owner: "user alice" }), KEEP_ALL);
    }
    await engine.logs.append(parseChannelName("ticker:2"), draft(1, { owner: "user bob" }), KEEP_ALL);
    expect(await engine.logs.owners("channels", 10)).toMatchObject([
      { owner: "user alice", channels: 3 },
      { owner: "user bob", channels: 1 },
    ]);
    expect((await engine.stats()).owned).toMatchObject({ channels: 4 });
    expect([await engine.logs.remove(PASSING), await engine.logs.remove(PASSING)]).toEqual([true, false]);
    expect(await engine.logs.remove(LASTING)).toBe(true);
    expect(await engine.logs.owners("channels", 1)).toMatchObject([{ channels: 1 }]);
    expect((await engine.logs.list(null, 10)).map(({ channel }) => channel)).toEqual([more, "ticker:2"]);
  });

  test("closes both parts", async () => {
    const { engine } = divided();
    await engine.close();
    for (const channel of [LASTING, PASSING]) {
      await expect(engine.logs.append(channel, draft(1), KEEP_ALL)).rejects.toMatchObject({
        code: "unavailable",
      });
    }
  });
});
