/** Whose idempotency keys are meant: one rule for all doors, for users, keys and anonymous clients. */
import { expect, test } from "vitest";
import { type Grant, signToken } from "../../packages/server/src/index.js";
import { SECRET as SIGNED_WITH } from "../access/tables.js";
import { Client } from "./client.js";
import { serve } from "./serving.js";
import { ask, connect } from "./socketio-client.js";

const MESSAGE = { channel: "chat", data: 1, id: "once" };
const KEY = "0123456789-the-key";
const GRANTS: readonly Grant[] = [{ channels: "**", actions: ["publish", "patch", "sequence"] }];
const SECRET = "0123456789abcdef0123456789abcdef";

/** How a client publishes by each door. */
interface Publisher {
  readonly token?: string | undefined;
  readonly publisher?: string | undefined;
}

async function serving() {
  const { port, url, http, fanfare } = await serve({
    socketio: {},
    apiKeys: [KEY],
    tokens: { secrets: [SIGNED_WITH] },
    anonymous: GRANTS,
    trustedProxies: ["127.0.0.0/8", "::1"],
  });
  const headers = ({ token, publisher }: Publisher) => ({
    "Content-Type": "application/json",
    ...(token && { Authorization: `Bearer ${token}` }),
    ...(publisher && { "Fanfare-Publisher": publisher }),
  });
  const post = (path: string, who: Publisher, body: object, more: object = {}, method = "POST") =>
    fetch(`${http}${path}`, { method, headers: { ...headers(who), ...more }, body: JSON.stringify(body) });
  const { channel, data, id } = MESSAGE;
  const doors: Record<string, (who: Publisher) => Promise<unknown>> = {
    async webSocket(who) {
      const client = await Client.open(url);
      client.say({ type: "connect", ...who });
      await client.others.nextThat(({ type }) => type === "connected");
      return client.ask({ type: "publish", ...MESSAGE });
    },
    http: (who) => post(`/channels/${channel}/messages`, who, { data }, { "Idempotency-Key": id }),
    batch: (who) => post("/messages", who, { messages: [MESSAGE] }),
    toMany: (who) => post("/messages", who, { channels: [channel], data, id }),
    async socketIo(who) {
      return ask(await connect(`http://localhost:${port}`, { auth: who }), "publish", MESSAGE);
    },
  };
  const count = async () => (await fanfare.position("chat")).offset;
  return { doors, count, post, url, fanfare };
}

test.each<[string, () => Promise<Publisher>]>([
  ["an anonymous client that names itself", async () => ({ publisher: SECRET })],
  ["a user", async () => ({ token: await tokenOf("alice"), publisher: SECRET })],
  ["the holder of a key", async () => ({ token: KEY })],
])("what %s repeats by any other door stands once", async (_, who) => {
  const { doors, count } = await serving();
  for (const publish of [...Object.values(doors), ...Object.values(doors)]) await publish(await who());
  expect(await count()).toBe(1);
});

test("two that are not the same do not share a key, by whatever door they come", async () => {
  const { doors, count } = await serving();
  const other = SECRET.replace("0", "f");
  const all = [{ publisher: SECRET }, { publisher: other }, { token: await tokenOf("bob") }];
  for (const who of all) for (const publish of Object.values(doors)) await publish(who);
  expect(await count()).toBe(all.length);
});

test("a user is known by the token, whatever else the client calls itself", async () => {
  const { doors, count } = await serving();
  await doors.webSocket?.({ token: await tokenOf("alice"), publisher: SECRET });
  await doors.http?.({ publisher: SECRET });
  expect(await count()).toBe(2);
});

test("on one connection without a name it is the session's, and over HTTP the address's", async () => {
  const { doors, count, post } = await serving();
  for (let round = 0; round < 2; round++) await doors.webSocket?.({});
  expect(await count()).toBe(2);
  for (let round = 0; round < 2; round++) await doors.http?.({});
  expect(await count()).toBe(3);
  for (const address of ["192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]) {
    await post("/messages", {}, { messages: [MESSAGE] }, { "X-Forwarded-For": address });
  }
  expect(await count()).toBe(6);
});

test("holds for changes of a state and for numbers, too", async () => {
  const { post, url } = await serving();
  const client = await Client.open(url);
  client.say({ type: "connect", publisher: SECRET });
  await client.others.nextThat(({ type }) => type === "connected");
  const who = { publisher: SECRET };
  const changed = await client.ask({ type: "patch", channel: "job", patch: { a: 1 }, id: "k" });
  const again = await post("/channels/job/state", who, { a: 1 }, { "Idempotency-Key": "k" }, "PATCH");
  expect(await again.json()).toMatchObject({ offset: "offset" in changed && changed.offset });
  const numbers = await client.ask({ type: "next", name: "invoice", id: "n" });
  const same = await post("/sequences/invoice/next", who, {}, { "Idempotency-Key": "n" });
  expect(await same.json()).toMatchObject({ first: "first" in numbers && numbers.first });
});

test.each(["short", "x".repeat(65), "with a space in between", ""])(
  "the name %j has the wrong form, and is refused",
  async (publisher) => {
    const { post, url } = await serving();
    const client = await Client.open(url);
    client.say({ type: "connect", publisher });
    expect(await client.closed).toMatchObject({ code: 4400, reason: expect.stringContaining("publisher") });
    if (publisher === "") return;
    const response = await post("/messages", { publisher }, { messages: [MESSAGE] });
    expect([response.status, (await response.json()).code]).toEqual([400, "invalid_request"]);
  },
);

/** Of a user who may do what the tests do. */
function tokenOf(user: string): Promise<string> {
  return signToken({ user, grants: GRANTS, secret: SIGNED_WITH }).then(({ token }) => token);
}
