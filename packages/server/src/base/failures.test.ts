import { FanfareError } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { Lines } from "../testing/lines.js";
import { Failures, guardedClock } from "./failures.js";

function throwing(): never {
  throw new Error("a callback fails");
}

describe("a guarded clock", () => {
  test("lets no exception out of a timer: it is counted and logged, and a timer that repeats goes on", async () => {
    const log = new Lines();
    const failures = new Failures(log);
    const inner = new FakeClock();
    const clock = guardedClock(inner, failures);
    let calls = 0;
    const failing = () => {
      calls++;
      throwing();
    };
    clock.after(10, failing);
    const repeating = clock.every(10, failing);
    inner.advance(20);
    expect(calls).toBe(3);
    repeating.cancel();
    clock.after(10, failing).cancel();
    inner.advance(20);
    expect(inner.timers).toBe(0);
    clock.endOfTurn(failing);
    await turns();
    expect(calls).toBe(4);
    expect(failures.counts.timer).toBe(4);
    expect(log.lines.map(({ level }) => level)).toEqual(Array.from({ length: 4 }, () => "error"));
  });

  test("tells both times of the clock behind it", () => {
    const inner = new FakeClock();
    const clock = guardedClock(inner, new Failures());
    inner.advance(5);
    inner.setBack(3);
    expect([clock.now(), clock.monotonic()]).toEqual([inner.now(), 5]);
  });
});

describe("what a callback throws", () => {
  test("ends its client: by the first way that does not fail itself", () => {
    const log = new Lines();
    const failures = new Failures(log);
    const tried: string[] = [];
    const ending = (name: string, end: () => void) => () => {
      tried.push(name);
      end();
    };
    failures.caught(
      { caller: "sse", error: new Error("wrong"), remote: "192.0.2.1" },
      ending("gently", throwing),
      ending("at once", () => {}),
      ending("never", () => {}),
    );
    expect(tried).toEqual(["gently", "at once"]);
    expect(log.lines).toHaveLength(2);
    expect(failures.counts).toMatchObject({ sse: 1, websocket: 0 });
  });

  test("does not reach its caller where every way to end the client fails", () => {
    const failures = new Failures();
    failures.caught({ caller: "http", error: null }, throwing, throwing);
    expect(failures.counts.http).toBe(1);
  });
});

describe("what fails in the background", () => {
  test("is counted each time and logged when it changes; what an engine refuses is no failure", async () => {
    const log = new Lines();
    const failures = new Failures(log);
    const messages = ["one", "one", "two", "one"];
    for (const message of messages) failures.goesOn("reading", new Error(message));
    failures.goesOn("writing", new Error("one"));
    failures.inBackground("reading", async () => {
      throw new FanfareError("unavailable", "the engine is away");
    });
    failures.inBackground("counting", () => {
      throw Object.create(null);
    });
    await turns();
    expect(failures.counts.background).toBe(6);
    expect(log.lines.map(({ message }) => message.split(" ")[0])).toEqual([
      "reading",
      "reading",
      "reading",
      "writing",
      "counting",
    ]);
  });
});
