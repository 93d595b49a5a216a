import { expect, test } from "vitest";
import { Peer } from "./peer.js";

function aPeer() {
  const heard: number[] = [];
  const peer = new Peer("other", 0, { heard: () => void heard.push(1), heardAll: () => void heard.push(0) });
  return { peer, heard };
}

test("a node lacks something of another until all that the other has spoken of is there, and no longer", () => {
  const { peer, heard } = aPeer();
  peer.changes(3, []);
  peer.beat(3);
  expect(peer.lacks).toBe(true);
  peer.whole(1, 0, 1, []);
  expect(peer.lacks).toBe(true);
  peer.changes(2, []);
  expect(peer.lacks).toBe(false);
  expect(heard).toEqual([0]);
});

test("a whole that has all that was spoken of leaves nothing lacking, also one of several parts", () => {
  const { peer } = aPeer();
  peer.beat(5);
  expect(peer.lacks).toBe(true);
  peer.whole(5, 0, 2, []);
  expect(peer.lacks).toBe(true);
  peer.whole(5, 1, 2, []);
  expect(peer.lacks).toBe(false);
});
