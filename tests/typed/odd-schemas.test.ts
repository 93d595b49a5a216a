/** Schemas of the application that answer late, oddly or never: nothing is let through by it, and no channel stands still. */
import { expect, test } from "vitest";
import { defineChannels } from "../../packages/server/src/index.js";
import { FakeClock, turns } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
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

/** A schema that never judges `slow`, and which one may wait for. */
function slowSchema(isSlow: (value: unknown) => boolean) {
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const validate = (value: unknown) => {
    if (!isSlow(value)) return { value };
    asked();
    return new Promise(() => {});
  };
  return { schema: schemaOf(validate), isAsked };
}

test("a slow check holds the messages of its own publisher, and of no other", async () => {
  const clock = new FakeClock();
  const { schema, isAsked } = slowSchema((value) => value === "slow");
  const { url, http, fanfare } = await serve({
    clock,
    access: "open",
    channels: defineChannels({ a: { message: schema } }),
  });
  const mallory = await Client.connect(url);
  const slow = mallory.ask({ type: "publish", channel: "a", data: "slow" });
  await isAsked;
  const second = mallory.ask({ type: "publish", channel: "a", data: "second" });
  const alice = await Client.connect(url);
  expect(await alice.ask({ type: "publish", channel: "a", data: 1 })).toMatchObject({ offset: 1 });
  expect((await post(`${http}/channels/a/messages`, { data: 2 })).status).toBe(201);
  expect(await fanfare.publish("a", 3)).toMatchObject({ offset: 3 });
  const many = await post(`${http}/messages`, { messages: [{ channel: "a", data: 4 }] });
  expect(await many.json()).toMatchObject({ results: [{ offset: 4 }] });
  clock.advance(10_000);
  expect(await slow).toMatchObject({ code: "unavailable" });
  expect(await second).toMatchObject({ offset: 5 });
});

test("a slow check holds the changes of its own caller, and lets those of others go first", async () => {
  const clock = new FakeClock();
  const { schema, isAsked } = slowSchema((value) => Object(value).slow === true);
  const { url, fanfare } = await serve({
    clock,
    access: "open",
    channels: defineChannels({ a: { state: schema } }),
  });
  const mallory = await Client.connect(url);
  const slow = mallory.ask({ type: "patch", channel: "a", patch: { slow: true } });
  await isAsked;
  const second = mallory.ask({ type: "patch", channel: "a", patch: { second: true } });
  const alice = await Client.connect(url);
  const other = alice.ask({ type: "patch", channel: "a", patch: { other: true } });
  await clock.forward(300, 100);
  expect(await other).toMatchObject({ offset: 1 });
  await fanfare.states.patch("a", { server: true });
  await clock.forward(10_000, 500);
  expect(await slow).toMatchObject({ code: "unavailable" });
  expect(await second).toMatchObject({ offset: 3 });
  expect((await fanfare.states.get("a"))?.state).toEqual({ other: true, server: true, second: true });
});

test("a state that was found right slowly is checked again only where others have changed it meanwhile", async () => {
  const clock = new FakeClock();
  const judged: unknown[] = [];
  let judge = () => {};
  const validate = (value: unknown) => {
    judged.push(value);
    if (!("slow" in Object(value))) return { value };
    return new Promise((done) => {
      judge = () => done({ value });
    });
  };
  const { url, fanfare } = await serve({
    clock,
    access: "open",
    channels: defineChannels({ a: { state: schemaOf(validate) } }),
  });
  const client = await Client.connect(url);
  const isAsked = async (times: number) => {
    while (judged.length < times) await turns();
  };
  const alone = client.ask({ type: "patch", channel: "a", patch: { slow: 1 } });
  await isAsked(1);
  await clock.forward(300);
  judge();
  expect(await alone).toMatchObject({ offset: 1 });
  const overtaken = client.ask({ type: "patch", channel: "a", patch: { slow: 2 } });
  await isAsked(2);
  await clock.forward(300);
  const other = fanfare.states.set("a", { by: "other" });
  await other;
  judge();
  await isAsked(4);
  judge();
  expect(await overtaken).toMatchObject({ offset: 3 });
  expect(judged).toEqual([{ slow: 1 }, { slow: 2 }, { by: "other" }, { by: "other", slow: 2 }]);
});
