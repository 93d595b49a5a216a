/** What is shown of members where an application has defined what is said about them. */
import { type as ark } from "arktype";
import * as v from "valibot";
import { expect, test } from "vitest";
import { z } from "zod";
import {
  createFanfare,
  defineChannels,
  type Grant,
  type StandardSchema,
  signToken,
} from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { serve } from "../doors/serving.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const MAY: readonly Grant[] = [{ channels: "room:*", actions: ["subscribe", "presence"] }];

/** A server whose members come to `room:1` and `room:2`. */
async function serving(presence?: StandardSchema) {
  const { fanfare, url, log } = await serve({
    channels: { "room:{id}": presence ? { presence } : {} },
    rules: [{ channels: "room:*", presence: true }],
    tokens: { secrets: [SECRET] },
    access: "granted",
  });
  const tokenOf = async (user: string, info?: unknown) =>
    (await signToken({ secret: SECRET, user, info, grants: MAY })).token;
  const come = async (user: string, info?: unknown) => {
    const client = await Client.open(url);
    await client.connect({ token: await tokenOf(user, info) });
    for (const channel of ["room:1", "room:2"]) await client.ask({ type: "subscribe", channel });
    return client;
  };
  const members = async () =>
    (await fanfare.presence.list("room:1")).members.map(({ user, info }) => [user, info]);
  const warned = () => log.about("is not shown").map(({ fields }) => fields);
  return { tokenOf, come, members, warned };
}

test.each([
  ["zod", z.object({ name: z.string() })],
  ["valibot", v.object({ name: v.string() })],
  ["arktype", ark({ name: "string" })],
])("info that does not fit is not shown, and the log says so once: %s", async (_library, schema) => {
  const { come, members, warned } = await serving(schema);
  await come("alice", { name: "Alice", colour: "red" });
  await come("bob", { name: 7 });
  await come("carol");
  await come("dave", "Dave");
  expect(await members()).toEqual([
    ["alice", { name: "Alice", colour: "red" }],
    ["bob", undefined],
    ["carol", undefined],
    ["dave", undefined],
  ]);
  expect(warned()).toMatchObject([
    {
      channel: "room:1",
      definition: "room:{id}",
      err: { code: "invalid_data", message: expect.stringMatching(/^room:1: info\.name: .*string/) },
    },
  ]);
});

test("info that changes is checked again", async () => {
  const { come, members, tokenOf } = await serving(z.object({ name: z.string() }));
  const client = await come("alice", { name: "Alice" });
  client.say({ type: "token", token: await tokenOf("alice", { name: 7 }) });
  expect((await client.others.next()).type).toBe("token");
  expect(await members()).toEqual([["alice", undefined]]);
});

const throwing: StandardSchema = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate() {
      throw new Error("not today");
    },
  },
};

test.each([
  ["takes its time", z.string().refine(async () => true), /asynchronous/],
  ["throws", throwing, /not today/],
])("with a schema that %s no info is shown, and members come all the same", async (_, schema, message) => {
  const { come, members, warned } = await serving(schema);
  await come("alice", "Alice");
  expect(await members()).toEqual([["alice", undefined]]);
  expect(warned()).toMatchObject([{ err: { message: expect.stringMatching(message) } }]);
});

test("where nothing is defined, anything is shown", async () => {
  const { come, members, warned } = await serving();
  await come("alice", 7);
  expect(await members()).toEqual([["alice", 7]]);
  expect(warned()).toEqual([]);
});

test("a typed Fanfare knows what is said about members", async () => {
  const channels = defineChannels({ "room:{id}": { presence: z.object({ name: z.string() }) } });
  const fanfare = createFanfare({ channels, rules: [{ channels: "room:*", presence: true }] });
  const { members } = await fanfare.presence.list("room:1");
  const names: (string | undefined)[] = members.map(({ info }) => info?.name);
  expect(names).toEqual([]);
  const compiled = () => {
    // @ts-expect-error there is no such channel
    fanfare.presence.list("rooms:1");
    // @ts-expect-error what is said about a member has no such member
    members[0]?.info?.age;
  };
  expect(compiled).toBeTypeOf("function");
  await fanfare.close();
});
