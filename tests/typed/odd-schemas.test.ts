/** Schemas of the application that answer late, oddly or never: nothing is let through by it, and no channel stands still. */
import { expect, test } from "vitest";
import { defineChannels } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { serve } from "../doors/serving.js";
import { post } from "../library/serve.js";

function schemaOf(validate: (value: unknown) => unknown) {
  return { "~standard": { version: 1, vendor: "test", validate } } as never;
}

test("a check that never ends is given up after 10 seconds, and what came after it goes on", async () => {
  const clock = new FakeClock();
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const validate = (value: unknown) => {
    if (value !== "slow") return { value };
    asked();
    return new Promise(() => {});
  };
  const { http } = await serve({
    clock,
    access: "open",
    channels: defineChannels({ a: { message: schemaOf(validate) } }),
  });
  const slow = post(`${http}/channels/a/messages`, { data: "slow" });
  await isAsked;
  const next = post(`${http}/channels/a/messages`, { data: "next" });
  // Another channel does not wait.
  expect((await post(`${http}/channels/b/messages`, { data: 1 })).status).toBe(201);
  clock.advance(10_000);
  expect((await slow).status).toBe(503);
  expect((await next).status).toBe(201);
});

test("a promise of another library is waited for, and an answer that is none lets nothing through", async () => {
  // biome-ignore lint/suspicious/noThenProperty: this is what promises of other libraries are
  const later = { then: (done: (judgement: object) => void) => done({ issues: [{ message: "wrong" }] }) };
  const channels = defineChannels({
    a: { message: schemaOf(() => later) },
    b: { message: schemaOf(() => 5) },
  });
  const { http } = await serve({ access: "open", channels });
  expect((await post(`${http}/channels/a/messages`, { data: 1 })).status).toBe(422);
  expect((await post(`${http}/channels/b/messages`, { data: 1 })).status).toBe(500);
});
