/** When a turn takes a breath: with a clock on which each look at it takes a while, so that flushes are long. */
import { expect, test } from "vitest";
import { aHub } from "../../testing/a-hub.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";

/** Milliseconds pass with each look. */
class SlowClock extends FakeClock {
  lookMs = 0;
  #passed = 0;
  readonly breaths: number[] = [];

  override monotonic(): number {
    this.#passed += this.lookMs;
    return super.monotonic() + this.#passed;
  }
  override after(ms: number, call: () => void) {
    this.breaths.push(ms);
    return super.after(ms, call);
  }
}

async function listening() {
  const clock = new SlowClock();
  const node = aHub({ clock });
  const subscriber = node.open();
  node.subscribe(subscriber, "news");
  await turns(3);
  clock.breaths.length = 0;
  clock.lookMs = 2;
  return { ...node, clock, subscriber };
}

test("one message at a time takes no breath, however long it takes to write", async () => {
  const { clock, subscriber, publish } = await listening();
  for (let count = 1; count <= 5; count++) {
    await publish("news", count);
    await turns(2);
    expect(subscriber.story.at(-1)).toBe(`${count}`);
  }
  expect(clock.breaths).toEqual([]);
});

test("when messages pile up the next flush waits, for 10 milliseconds at most", async () => {
  const { clock, subscriber, publish } = await listening();
  await publish("news", 1, 2, 3);
  await turns(2);
  clock.lookMs = 0;
  await publish("news", 4, 5, 6);
  await turns(2);
  expect(subscriber.story.at(-1)).toBe("3");
  expect(clock.breaths).toHaveLength(1);
  for (const ms of clock.breaths) expect(ms).toBeLessThanOrEqual(10);
  clock.advance(10);
  await turns(2);
  expect(subscriber.story.slice(-3)).toEqual(["4", "5", "6"]);
});
