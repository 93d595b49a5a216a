/** The one class of errors of the library, and what it carries. */
import { expect, test } from "vitest";
import * as client from "../../packages/client/src/index.js";
import * as server from "../../packages/server/src/index.js";
import { make } from "./serve.js";

const errorsOf = (exports: object) =>
  Object.entries(exports).flatMap(([name, each]) =>
    typeof each === "function" && each.prototype instanceof Error ? [name] : [],
  );

test("each side has one class of errors; what an engine throws on a conflict is one of these", () => {
  expect([errorsOf(server), errorsOf(client)]).toEqual([
    ["FanfareError", "StateConflictError"],
    ["ClientError"],
  ]);
  expect(server.StateConflictError.prototype).toBeInstanceOf(server.FanfareError);
});

test("an error carries what its code says: the state, the lock and its holder, what became of many messages", async () => {
  const fanfare = make();
  const { epoch } = await fanfare.states.set("job", { done: 1 });
  await fanfare.locks.acquire("job", { info: "nightly" });
  const failed = (call: Promise<unknown>) => call.catch((error: unknown) => error);
  const errors = [
    await failed(fanfare.states.patch("job", { done: 2 }, { ifVersion: null })),
    await failed(fanfare.states.patch("none", { done: 2 }, { ifVersion: `${epoch}:7` })),
    await failed(fanfare.locks.acquire("job")),
  ];
  for (const error of errors) expect(error).toBeInstanceOf(server.FanfareError);
  expect(errors).toMatchObject([
    { code: "version_mismatch", state: { channel: "job", epoch, offset: 1, state: { done: 1 } } },
    { code: "version_mismatch", channel: "none", state: null },
    {
      code: "locked",
      channel: "job",
      lock: { info: "nightly", holder: {} },
      time: expect.any(Number),
      retryAfterSeconds: expect.any(Number),
    },
  ]);
});
