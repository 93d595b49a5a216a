import { expect, test } from "vitest";
import { turns } from "../../testing/fake-clock.js";
import { InOrder } from "./in-order.js";

test("what has one key happens in the order in which it was asked for, and waits for nothing of another key", async () => {
  const inOrder = new InOrder<string>();
  const story: string[] = [];
  const waiting = new Map<string, () => void>();
  const ask = (key: string, name: string, fails = false) =>
    inOrder.run(key, async () => {
      story.push(`${name} begins`);
      await new Promise<void>((done) => waiting.set(name, done));
      story.push(`${name} ends`);
      if (fails) throw new Error(`${name} fails`);
      return name;
    });
  const first = ask("a", "first", true);
  const second = ask("a", "second");
  const other = ask("b", "other");
  await turns();
  expect(story).toEqual(["first begins", "other begins"]);
  // One that is asked for later waits, too, whether or not the one before has failed.
  waiting.get("first")?.();
  await expect(first).rejects.toThrow("first fails");
  const third = ask("a", "third");
  await turns();
  waiting.get("second")?.();
  expect(await second).toBe("second");
  await turns();
  waiting.get("third")?.();
  waiting.get("other")?.();
  expect([await third, await other]).toEqual(["third", "other"]);
  expect(story.slice(2)).toEqual([
    "first ends",
    "second begins",
    "second ends",
    "third begins",
    "third ends",
    "other ends",
  ]);
});
