import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import type { Access } from "./access.js";
import type { Action } from "./grants/actions.js";
import type { Principal } from "./grants/principal.js";
import type { Rates } from "./rates/rates.js";
import { RequestCaller } from "./request-caller.js";

const A = parseChannelName("a");
const B = parseChannelName("b");

/** Access that forgets what a caller may do. */
function anAccess() {
  const before = { kind: "nobody" } as Principal;
  const after = { kind: "nobody" } as Principal;
  const taken = new Set<string>();
  const asked: string[] = [];
  const access = {
    changes: 0,
    hasEnded: () => false,
    again: () => after,
    allow(principal: Principal, action: Action, channel: string | null) {
      asked.push(`${action} ${channel}`);
      if (principal === after && taken.has(`${action} ${channel}`))
        throw new FanfareError("forbidden", "taken");
    },
  };
  const requestCaller = new RequestCaller(access as unknown as Access, {} as Rates, before, null);
  const take = (what: string) => {
    taken.add(what);
    access.changes++;
  };
  return { requestCaller, take, asked };
}

test.each(["publish a", "history a", "publish b"])(
  "a caller who was allowed three things may go on with none of them once one is taken away: %s",
  (what) => {
    const { requestCaller, take } = anAccess();
    requestCaller.allow("publish", A);
    requestCaller.allow("history", A);
    requestCaller.allow("publish", B);
    requestCaller.check();
    take(what);
    expect(() => requestCaller.check()).toThrow("taken");
  },
);

test("what was allowed several times is looked at again once, and only where access has changed", () => {
  const { requestCaller, take, asked } = anAccess();
  for (let time = 0; time < 3; time++) requestCaller.allow("publish", A);
  asked.length = 0;
  requestCaller.check();
  expect(asked).toEqual([]);
  take("history b");
  requestCaller.check();
  expect(asked).toEqual(["publish a"]);
  requestCaller.check();
  expect(asked).toEqual(["publish a"]);
});
