import { expect, test } from "vitest";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { Lines } from "../testing/lines.js";
import { AnswerDeadline } from "./answer-deadline.js";

const never = () => new Promise<never>(() => {});
const refused = { code: "unavailable", message: expect.stringContaining("logs.append") };

function aDeadline() {
  const clock = new FakeClock();
  const log = new Lines();
  return { clock, log, deadline: new AnswerDeadline(clock, log) };
}

test("a call that is not answered is given up after 5 seconds and before 7", async () => {
  const { clock, log, deadline } = aDeadline();
  let settled = 0;
  const asked = deadline.of("logs.append", "a", never).finally(() => settled++);
  const given = expect(asked).rejects.toMatchObject(refused);
  await clock.forward(5000, 500);
  expect(settled).toBe(0);
  await clock.forward(2000, 500);
  await given;
  expect(log.lines.map(({ level }) => level)).toEqual(["error"]);
});

test("answers and failures in time come through, and no timer waits after them", async () => {
  const { clock, deadline } = aDeadline();
  expect(await deadline.of("logs.append", "a", async () => 7)).toBe(7);
  await expect(deadline.of("logs.append", "a", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  const broken = () => {
    throw new Error("at once");
  };
  await expect(deadline.of("logs.append", "a", broken)).rejects.toThrow("at once");
  await clock.forward(1000);
  expect(clock.timers).toBe(0);
  expect(deadline.isSilent).toBe(false);
});

test("a time in which the process stood still does not count", async () => {
  const { clock, deadline } = aDeadline();
  let answer = (_: number) => {};
  const asked = deadline.of("logs.append", "a", () => new Promise<number>((done) => (answer = done)));
  // The clock went on by a minute, and the timer is called once.
  const at = Object.getPrototypeOf(clock).monotonic.call(clock) + 60_000;
  clock.monotonic = () => at;
  clock.advance(1000);
  answer(7);
  expect(await asked).toBe(7);
});

test("callers that wait for each other do not add up their times", async () => {
  const { clock, deadline } = aDeadline();
  const inTurn = async () => {
    const outcomes: string[] = [];
    for (let count = 0; count < 20; count++) {
      await deadline.of("logs.append", "a", never).catch(({ code }) => outcomes.push(code));
    }
    return outcomes;
  };
  const all = inTurn();
  await clock.forward(7000, 500);
  expect(await all).toEqual(Array(20).fill("unavailable"));
  // What is about something else is asked, and so is this, a second later.
  expect(await deadline.of("logs.append", "b", async () => 1)).toBe(1);
  await clock.forward(1000);
  expect(await deadline.of("logs.append", "a", async () => 2)).toBe(2);
});

test("the engine counts as silent for 10 seconds, and the log says so once", async () => {
  const { clock, log, deadline } = aDeadline();
  const calls = Array.from({ length: 3 }, (_, index) => deadline.of("logs.append", `c${index}`, never));
  const given = Promise.allSettled(calls);
  await clock.forward(6000, 500);
  expect(deadline.isSilent).toBe(true);
  await given;
  await clock.forward(10_000, 500);
  expect(deadline.isSilent).toBe(false);
  expect(log.lines).toHaveLength(1);
});

test("an answer that comes too late is told to those who have to undo it, and a late failure is dropped", async () => {
  const { clock, deadline } = aDeadline();
  let [answer, fail] = [() => {}, (_: Error) => {}];
  let late = 0;
  const both = Promise.allSettled([
    deadline.of(
      "logs.listen",
      "a",
      () => new Promise<void>((done) => (answer = done)),
      () => late++,
    ),
    deadline.of(
      "logs.listen",
      "b",
      () => new Promise<void>((_, failed) => (fail = failed)),
      () => late++,
    ),
  ]);
  await clock.forward(6000, 500);
  await both;
  answer();
  fail(new Error("late"));
  await turns(2);
  expect(late).toBe(1);
});
