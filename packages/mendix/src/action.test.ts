import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Action } from "./action.js";
import { FakeAction } from "./testing/mendix.js";
import { openPage, type Page } from "./testing/page.js";
import { Warnings } from "./warnings.js";

let page: Page;
let fake: FakeAction<{ n: number }>;
let action: Action<{ n: number }>;
beforeEach(() => {
  vi.useFakeTimers();
  page = openPage();
  fake = new FakeAction();
  action = new Action("On receive update", new Warnings("fanfare1"));
  action.update(fake.props);
});
afterEach(() => void vi.useRealTimers());

const ran = () => fake.runs.map(({ n }) => n);

function run(...all: number[]): void {
  for (const n of all) action.run({ n });
}

describe("an action", () => {
  test("runs once for each message, one after the other, in order", () => {
    run(1, 2, 3);
    expect(ran()).toEqual([1]);
    fake.isExecuting = true;
    action.update(fake.props);
    vi.runAllTimers();
    expect(ran()).toEqual([1]);
    fake.isExecuting = false;
    action.update(fake.props);
    expect(ran()).toEqual([1, 2]);
  });

  test("that never shows that it runs is taken to be done", () => {
    run(1, 2, 3);
    vi.runAllTimers();
    expect(ran()).toEqual([1, 2, 3]);
  });

  test("does not run twice at once because something else on the page has changed", () => {
    run(1, 2);
    action.update(fake.props);
    expect(ran()).toEqual([1]);
  });

  test("that cannot run now runs when it can, with one warning", () => {
    fake.canExecute = false;
    action.update(fake.props);
    run(1, 2);
    vi.runAllTimers();
    expect(ran()).toEqual([]);
    expect(page.warnings).toHaveLength(1);
    expect(page.warnings[0]).toContain("On receive update cannot run now");
    fake.canExecute = true;
    action.update(fake.props);
    vi.runAllTimers();
    expect(ran()).toEqual([1, 2]);
  });

  test("that is slower than the messages leaves out the oldest, and says so once", () => {
    fake.isExecuting = true;
    action.update(fake.props);
    run(...Array.from({ length: 102 }, (_, index) => index + 1));
    fake.isExecuting = false;
    action.update(fake.props);
    vi.runAllTimers();
    expect(ran()).toEqual(Array.from({ length: 100 }, (_, index) => index + 3));
    expect(page.warnings).toHaveLength(1);
    expect(page.warnings[0]).toContain("slower than the messages");
  });

  test("that is not set forgets what comes", () => {
    action.update(undefined);
    run(1);
    action.update(fake.props);
    expect(ran()).toEqual([]);
  });

  test("does not run any more what waits when it is cleared", () => {
    run(1, 2);
    action.clear();
    vi.runAllTimers();
    expect(ran()).toEqual([1]);
    run(3);
    expect(ran()).toEqual([1, 3]);
  });
});
