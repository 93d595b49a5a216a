/** The server is stopped and started again while windows are open. */
import { connection, expect, test, told, type Window } from "./fixtures.js";

test.use({ ownServer: "tests" });

const MISSING = "missing null to null: restarted";

test("killed: windows come back, and say that messages may be missing", async ({
  server,
  ownChannel,
  openProbe,
}) => {
  const windows = [await openProbe(), await openProbe()];
  await server.publish(ownChannel, "before");
  await allTold(windows, ["before"]);

  await server.kill("SIGKILL");
  for (const { page } of windows) await expect(connection(page)).not.toHaveText("listening");
  await server.startAgain();

  await allTold(windows, ["before", MISSING]);
  await server.publish(ownChannel, "after");
  await allTold(windows, ["before", MISSING, "after"]);
});

test("stopped in good order: the same, and each window is told a time of its own to come back", async ({
  server,
  ownChannel,
  openProbe,
}) => {
  const windows = [await openProbe(), await openProbe()];
  await server.publish(ownChannel, "before");
  await allTold(windows, ["before"]);

  await server.kill("SIGTERM");
  for (const { page } of windows) await expect(connection(page)).not.toHaveText("listening");
  const goodbyes = windows.map(({ sockets }) => sockets.received.at(-1));
  for (const goodbye of goodbyes) {
    expect(goodbye).toEqual({ type: "goodbye", retryAfterSeconds: expect.any(Number) });
  }
  expect(new Set(goodbyes.map((goodbye) => goodbye?.retryAfterSeconds)).size).toBe(goodbyes.length);
  await server.startAgain();

  await allTold(windows, ["before", MISSING]);
  await server.publish(ownChannel, "after");
  await allTold(windows, ["before", MISSING, "after"]);
});

async function allTold(windows: readonly Window[], lines: readonly string[]): Promise<void> {
  for (const { page } of windows) await expect(told(page)).toHaveText(lines);
}
