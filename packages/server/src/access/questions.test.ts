import { expect, test } from "vitest";
import { Questions } from "./questions.js";

const REFUSED = { code: "unavailable", retryAfterSeconds: 1 };

test("one address has a part of the questions that wait, and gives back its place whatever the answer is", async () => {
  const questions = new Questions(5, 2);
  const settle: (() => void)[] = [];
  const waiting = () => new Promise<void>((done) => settle.push(done));
  const first = [questions.ask("a", waiting), questions.ask("a", waiting)];
  await expect(questions.ask("a", waiting)).rejects.toMatchObject(REFUSED);
  const others = [
    questions.ask("b", waiting),
    questions.ask(null, waiting),
    questions.ask(undefined, waiting),
  ];
  await expect(questions.ask("c", waiting)).rejects.toMatchObject(REFUSED);
  await expect(questions.ask(null, waiting)).rejects.toMatchObject(REFUSED);
  for (const done of settle.splice(0)) done();
  await Promise.all([...first, ...others]);
  for (let round = 0; round < 5; round++) {
    await expect(questions.ask("a", () => Promise.reject(new RangeError("no")))).rejects.toThrow(RangeError);
  }
  expect(await questions.ask("a", async () => 42)).toBe(42);
});
