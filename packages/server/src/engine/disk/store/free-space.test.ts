import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { aFolder } from "../../../testing/a-folder.js";
import { FreeSpace, isNoRoom } from "./free-space.js";

const MiB = 2 ** 20;
const full = { code: "insufficient_storage" };

test("a disk that refused a write is not written to before it has taken a file of no use", async () => {
  const folder = aFolder();
  const space = new FreeSpace(join(folder, "gone"), MiB, async () => 1000 * MiB);
  await space.ask();
  space.refused();
  expect(space.isLow).toBe(true);
  expect(() => space.assertRoom()).toThrow("the disk refused a write for lack of room");
  await expect(space.assertFloor(false)).rejects.toMatchObject(full);
  expect(space.isLow).toBe(true);

  const other = new FreeSpace(folder, MiB, async () => 1000 * MiB);
  await other.ask();
  other.refused();
  await other.assertFloor(true);
  expect(other.isLow).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
});

test("removing passes where growing does not, as long as there is room for what it changes", async () => {
  const disk = { free: 4 * MiB };
  const space = new FreeSpace("data", 64 * MiB, async () => disk.free);
  await space.ask();
  await expect(space.assertFloor(true)).rejects.toMatchObject(full);
  await space.assertFloor(false);
  space.willWrite(2 * MiB);
  await expect(space.assertFloor(false)).rejects.toMatchObject(full);
  space.willNotWrite();
  disk.free = MiB - 1;
  await expect(space.assertFloor(false)).rejects.toMatchObject(full);
});

test("what a commit gave back in the file counts two commits later", async () => {
  const file = { free: 0 };
  const space = new FreeSpace("data", MiB, async () => 0);
  space.askInFile = async () => file.free;
  const commit = async (bytes: number) => {
    space.willWrite(bytes - 4096);
    space.writing();
    space.wrote(true);
    await space.ask();
  };
  await space.ask();
  file.free = 100 * MiB;
  await commit(10 * MiB);
  expect(space.inFile).toBe(0);
  await commit(10 * MiB);
  expect(space.inFile).toBe(0);
  await commit(10 * MiB);
  expect(space.inFile).toBe(80 * MiB);
});

test("what was written since the disk was asked is taken for used, until it is asked again", async () => {
  let asked = 0;
  const space = new FreeSpace("data", MiB, async () => {
    asked++;
    return 12 * MiB;
  });
  await space.ask();
  for (let commits = 0; commits < 12; commits++) {
    space.assertRoom();
    space.willWrite(MiB - 4096);
    space.writing();
    space.wrote(true);
  }
  expect(space.isLow).toBe(true);
  await space.ask();
  expect([space.isLow, asked]).toEqual([false, 2]);
});

test("the system says in several ways that there is no room", () => {
  const of = (message: string, code?: string | number) => Object.assign(new Error(message), { code });
  for (const error of [
    of("", "ENOSPC"),
    of("", "EDQUOT"),
    of("", 28),
    of("No space left on device: Attempting to write page"),
    of("File too large"),
  ]) {
    expect(isNoRoom(error)).toBe(true);
  }
  for (const error of [of("Input/output error", 5), of("", "EACCES"), "ENOSPC"])
    expect(isNoRoom(error)).toBe(false);
});
