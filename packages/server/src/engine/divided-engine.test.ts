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
import { MemoryEngine } from "./memory-engine.js";

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
    expect(await durable.list(null, 10)).toMatchObject([{ channel: LASTING, head: 2 }]);
    expect(await memory.list(null, 10)).toMatchObject([{ channel: PASSING, head: 3 }]);
    expect(await engine.heads([PASSING, LASTING, PASSING])).toEqual([passing, lasting, passing]);
    expect(await engine.list(null, 10)).toMatchObject([{ channel: LASTING }, { channel: PASSING }]);
    expect(await engine.list(LASTING, 10)).toMatchObject([{ channel: PASSING, head: 3 }]);
    expect(await engine.list(null, 1)).toMatchObject([{ channel: LASTING }]);
    expect(valuesOf((await engine.read(PASSING, null, NO_LIMIT)).messages)).toEqual([1, 2, 3]);
    expect(await engine.stats()).toMatchObject({ channels: 2, messages: 5 });
  });

  test("announces what is published in either part, until nobody listens", async () => {
    const { engine } = divided();
    for (const channel of [LASTING, PASSING]) {
      const heard = new Heard();
      expect(await engine.listen(channel, heard)).toStrictEqual(await headOf(engine, channel));
      await engine.append(channel, draft(1), KEEP_ALL);
      engine.unlisten(channel, heard);
      await engine.append(channel, draft(2), KEEP_ALL);
      expect(valuesOf(heard.messages)).toEqual([1]);
    }
  });

  test("keeps sessions and signals in the durable part", async () => {
    const { engine, durable } = divided();
    await engine.putSession("h", "1", 1000);
    expect(await engine.renewSession("h", 1000)).toBe(true);
    expect(await durable.takeSession("h")).toBe("1");
    expect(await engine.takeSession("h")).toBeNull();
    const heard: string[] = [];
    const stop = engine.onSignal("t", (json) => heard.push(json));
    await durable.signal("t", "1");
    await engine.signal("t", "2");
    stop();
    expect(heard).toEqual(["1", "2"]);
  });

  test("lets nobody go on in a durable log after its channel has moved into memory", async () => {
    const { engine, durable } = divided();
    const before = await appendAll(durable, PASSING, [1, 2]);
    await appendAll(engine, PASSING, ["in memory"]);
    expect(await engine.read(PASSING, before, NO_LIMIT)).toMatchObject({ head: 1, lost: "restarted" });
    // The rule has changed back.
    expect(await durable.read(PASSING, before, NO_LIMIT)).toMatchObject({ head: 0, lost: "epoch_changed" });
  });

  test("closes both parts", async () => {
    const { engine } = divided();
    await engine.close();
    for (const channel of [LASTING, PASSING]) {
      await expect(engine.append(channel, draft(1), KEEP_ALL)).rejects.toMatchObject({ code: "unavailable" });
    }
  });
});
