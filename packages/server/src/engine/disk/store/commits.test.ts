/** Commits, on a disk that can be told to fail. */
import { expect, test } from "vitest";
import { FakeClock, turns } from "../../../testing/fake-clock.js";
import { Commits } from "./commits.js";
import type { FreeSpace } from "./free-space.js";
import type { Place } from "./place.js";
import type { Table } from "./table.js";

function aDisk() {
  const events: string[] = [];
  let why: Error | null = null;
  let noRoom: Error | null = null;
  const write = async (changes: () => void) => {
    changes();
    await turns(1);
    if (why) throw why;
  };
  const space: Pick<FreeSpace, "assertFloor" | "willWrite" | "willNotWrite" | "writing" | "wrote"> = {
    assertFloor: async () => {
      if (noRoom) throw noRoom;
    },
    willWrite: () => {},
    willNotWrite: () => {},
    writing: () => {},
    wrote: () => {},
  };
  const place: Pick<Place, "assertThere"> = { assertThere: () => {} };
  const commits = new Commits(write, new FakeClock(), space as FreeSpace, place as Place);
  const table = {
    isChanged: false,
    write() {},
    written() {},
    forgetChanges: () => void events.push("forgotten"),
  };
  commits.add(table as unknown as Table);
  commits.owner = { isChanged: false, committing: () => () => {}, lost: () => void events.push("lost") };
  return {
    commits,
    table,
    events,
    fail: (error: Error | null) => {
      why = error;
    },
    fill: (error: Error) => {
      noRoom = error;
    },
    wait: (name: string) =>
      commits.wait({
        done: () => void events.push(`${name} done`),
        failed: (error) => void events.push(`${name}: ${error.message}`),
      }),
  };
}

test("all who wait for a commit that fails are told so, in the order in which they came, and those who came meanwhile", async () => {
  const { commits, table, events, fail, wait } = aDisk();
  fail(new Error("no"));
  table.isChanged = true;
  commits.changed(10, false);
  wait("first");
  wait("second");
  await turns(1);
  wait("third");
  await turns(4);
  const told = "the disk engine could not write";
  expect(events).toEqual(["forgotten", "lost", `first: ${told}`, `second: ${told}`, `third: ${told}`]);

  events.length = 0;
  fail(null);
  wait("fourth");
  table.isChanged = false;
  await turns(4);
  expect(events).toEqual(["fourth done"]);
});

test.each(["write", "room"])(
  "what will never be written for want of %s keeps no later publisher waiting",
  async (want) => {
    const { commits, table, fail, fill } = aDisk();
    if (want === "write") fail(new Error("no"));
    else fill(new Error("no"));
    table.isChanged = true;
    commits.changed(2 ** 30, false);
    expect(() => commits.assertKeepsUp()).toThrow("wait for the disk");
    await turns(4);
    expect(() => commits.assertKeepsUp()).not.toThrow();
  },
);

test("what waits for the disk is bounded by its number, too, until the next commit", async () => {
  const { commits, table } = aDisk();
  table.isChanged = true;
  for (let count = 0; count < 200_000; count++) commits.changed(1, false);
  commits.assertKeepsUp();
  commits.changed(1, false);
  expect(() => commits.assertKeepsUp()).toThrow("200001 changes wait for the disk");
  table.write = () => {
    table.isChanged = false;
  };
  await turns(4);
  commits.assertKeepsUp();
});

test("what a publisher is told names no file of the server", async () => {
  const { commits, table, events, fail, wait } = aDisk();
  const error = Object.assign(new Error("EIO: i/o error, write '/var/lib/fanfare/messages.mdb'"), {
    code: "EIO",
  });
  fail(error);
  table.isChanged = true;
  commits.changed(10, false);
  wait("one");
  await turns(4);
  expect(events.join()).toContain("the disk engine could not write: EIO");
  expect(events.join()).not.toContain("/var");
});
