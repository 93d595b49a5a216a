import { expect, it } from "vitest";
import { rehearse } from "./rehearsal.js";

it("rehearses the main job and leaves nothing behind", async () => {
  const before = openSockets();
  await rehearse();
  await expect.poll(openSockets).toEqual(before);
});

function openSockets(): string[] {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP"));
}
