import type { OkFrame } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { ClientError } from "./client-error.js";
import { Outbox } from "./outbox.js";
import { FakeClock } from "./testing/fake-clock.js";
import type { QueueOptions } from "./types.js";

function setUp(options: QueueOptions = {}) {
  const clock = new FakeClock();
  const told: number[] = [];
  /** What was sent and is not answered. */
  let asked: { frame: string; resolve(answer: OkFrame): void; reject(error: ClientError): void }[] = [];
  const outbox = new Outbox(
    {
      clock,
      ask: (frame) => new Promise((resolve, reject) => asked.push({ frame, resolve, reject })),
      queueChanged: (waiting) => told.push(waiting),
    },
    options,
  );
  const outcomes: string[] = [];
  return {
    clock,
    outbox,
    told,
    outcomes,
    add(frame: string) {
      outbox.add(frame).then(
        () => outcomes.push(`${frame} ok`),
        (error: ClientError) => outcomes.push(`${frame} ${error.code}`),
      );
    },
    sent: () => asked.map(({ frame }) => frame),
    answer() {
      for (const { resolve } of asked.splice(0)) resolve({ type: "ok", request: 1 });
    },
    refuse(code: string) {
      for (const { reject } of asked.splice(0)) reject(new ClientError(code, "m", "r"));
    },
    lose() {
      const lost = asked;
      asked = [];
      outbox.disconnected();
      for (const { reject } of lost) reject(new ClientError("not_connected", "m", "r"));
    },
  };
}

const settled = () => new Promise<void>((done) => setImmediate(done));

describe("the outbox", () => {
  test("keeps what there is no connection for, in order, and tells how many wait", async () => {
    const { outbox, add, sent, answer, told, outcomes } = setUp();
    for (const frame of ["a", "b", "c"]) add(frame);
    expect([sent(), outbox.waiting, told]).toEqual([[], 3, [1, 2, 3]]);
    outbox.connected(false);
    expect([sent(), outbox.waiting, told.at(-1)]).toEqual([["a", "b", "c"], 0, 0]);
    add("d");
    answer();
    await settled();
    expect(outcomes).toEqual(["a ok", "b ok", "c ok", "d ok"]);
    expect(told).toEqual([1, 2, 3, 0]);
  });

  test("sends again what was not answered, before what came later, when the session goes on", async () => {
    const { outbox, add, sent, lose, answer, outcomes, told } = setUp();
    outbox.connected(false);
    add("a");
    add("b");
    lose();
    add("c");
    await settled();
    expect(told).toEqual([2, 3]);
    outbox.connected(true);
    expect(sent()).toEqual(["a", "b", "c"]);
    answer();
    await settled();
    expect(outcomes).toEqual(["a ok", "b ok", "c ok"]);
  });

  test("does not send again what the server may have under another session, and says so", async () => {
    const { outbox, add, sent, lose, outcomes } = setUp();
    outbox.connected(false);
    add("a");
    lose();
    add("b");
    outbox.connected(false);
    await settled();
    expect([sent(), outcomes]).toEqual([["b"], ["a not_connected"]]);
  });

  test("lets go of what has waited for too long, each at its time", async () => {
    const { clock, add, outcomes, outbox, told } = setUp();
    add("a");
    clock.advance(20_000);
    add("b");
    clock.advance(10_000);
    await settled();
    expect([outcomes, told]).toEqual([["a expired"], [1, 2, 1]]);
    clock.advance(20_000);
    await settled();
    expect([outcomes, outbox.waiting, clock.pending]).toEqual([["a expired", "b expired"], 0, 0]);
  });

  test("does not send what has become too old while the machine slept", async () => {
    const { clock, add, outbox, sent, outcomes } = setUp({ ageSeconds: 5 });
    add("a");
    clock.sleep(60_000);
    outbox.connected(true);
    await settled();
    expect([sent(), outcomes]).toEqual([[], ["a expired"]]);
  });

  test("lets go of it also when somebody sets the time of day back", async () => {
    const { clock, add, outcomes } = setUp({ ageSeconds: 5 });
    add("a");
    clock.set(-3_600_000);
    clock.advance(5000);
    await settled();
    expect(outcomes).toEqual(["a expired"]);
  });

  test("does not send what has become too old where the monotonic clock stood still", async () => {
    const { clock, add, outbox, sent, outcomes } = setUp({ ageSeconds: 5 });
    add("a");
    clock.set(60_000);
    outbox.connected(true);
    await settled();
    expect([sent(), outcomes]).toEqual([[], ["a expired"]]);
  });

  test("takes so many, and no more", async () => {
    const { add, outcomes, outbox, answer } = setUp({ items: 2 });
    for (const frame of ["a", "b", "c"]) add(frame);
    await settled();
    expect(outcomes).toEqual(["c queue_full"]);
    outbox.connected(false);
    for (const frame of ["d", "e", "f"]) add(frame);
    answer();
    await settled();
    expect(outcomes).toEqual(["c queue_full", "a ok", "b ok", "d ok", "e ok", "f ok"]);
  });

  test("hands on what the server refuses, and goes on", async () => {
    const { add, outbox, refuse, outcomes, lose, sent } = setUp();
    outbox.connected(false);
    add("a");
    refuse("rate_limited");
    await settled();
    add("b");
    lose();
    outbox.connected(true);
    expect([outcomes, sent()]).toEqual([["a rate_limited"], ["b"]]);
  });

  test("ends when there will be no connection, with the reason", async () => {
    const { add, outbox, outcomes, clock } = setUp();
    add("a");
    outbox.closed("Forbidden.", "Log in.");
    await settled();
    expect([outcomes, outbox.waiting, clock.pending]).toEqual([["a not_connected"], 0, 0]);
  });

  test.each([
    [{ items: 0 }, "queue.items is 0"],
    [{ items: 10_001 }, "queue.items is 10001"],
    [{ ageSeconds: 0 }, "queue.ageSeconds is 0"],
    [{ ageSeconds: 301 }, "queue.ageSeconds is 301"],
  ])("refuses %j", (options, message) => {
    expect(() => setUp(options)).toThrow(message);
  });
});
