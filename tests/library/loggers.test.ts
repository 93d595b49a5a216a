/** A log of the application that fails: what is to be told is lost, and nothing else. */
import { expect, onTestFinished, test } from "vitest";
import type { Log } from "../../packages/server/src/base/log.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";

const failing = () => {
  throw new Error("the log fails");
};
const rejecting = async () => failing();

test.each([
  ["throws", failing],
  ["rejects", rejecting],
])("a log that %s ends neither the process nor the answer", async (_name, write) => {
  const unhandled: unknown[] = [];
  const hear = (error: unknown) => void unhandled.push(error);
  process.on("unhandledRejection", hear);
  onTestFinished(() => void process.off("unhandledRejection", hear));
  const logger: Log = { debug: write, info: write, warn: write, error: write };
  const authorize = () => failing();
  const { fanfare, url, http } = await serve({ logger, authorize });
  expect((await fetch(`${http}/channels/a/messages`)).status).toBe(500);
  const client = await Client.open(url);
  client.say({ type: "connect" });
  expect(await client.closed).toMatchObject({ code: 1011 });
  const stranger = await fetch(`${http}/channels/a/messages`, {
    headers: { Host: "elsewhere", Origin: "http://evil" },
  });
  expect(stranger.status).toBe(403);
  await fanfare.close();
  // Rejections are told of after the turn.
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
});
