/**
 * What every engine has to do, as tests. `append`, `read` and `heads` are tested strictly; announcements for arriving at
 * all. Each implementation calls this with a way to make an engine, and adds tests of what only it does.
 */
import { describe } from "vitest";
import { appendContract } from "./contract/append.contract.js";
import { forgettingContract } from "./contract/forgetting.contract.js";
import { givingBackContract } from "./contract/giving-back.contract.js";
import { type MakeHarness, opener } from "./contract/harness.contract.js";
import { listContract } from "./contract/list.contract.js";
import { listenContract } from "./contract/listen.contract.js";
import { readContract } from "./contract/read.contract.js";
import { sharesContract } from "./contract/shares.contract.js";
import { spaceContract } from "./contract/space.contract.js";
import { stateContract } from "./contract/state.contract.js";
import { timeContract } from "./contract/time.contract.js";

export type { MakeHarness } from "./contract/harness.contract.js";

/**
 * @param make makes an empty engine for one test
 * @example
 * engineContract("MemoryEngine", ({ clock, limits }) => ({ engine: new MemoryEngine({ clock, ...limits }) }));
 */
export function engineContract(name: string, make: MakeHarness): void {
  describe(`${name} as an engine`, () => {
    const open = opener(make);
    appendContract(open);
    readContract(open);
    stateContract(open);
    listContract(open);
    listenContract(open);
    forgettingContract(open);
    givingBackContract(open);
    sharesContract(open);
    spaceContract(open);
    timeContract(open);
  });
}
