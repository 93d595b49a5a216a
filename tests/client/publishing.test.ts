/** Publishing from a page: who it is, what comes back, and what waits for a connection. */
import { expect, onTestFinished, test } from "vitest";
import type { Client, ClientOptions, Message } from "../../packages/client/src/index.js";
import type { FanfareOptions } from "../../packages/server/src/index.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, eventually, inState, Recorder, serve, withDeadline } from "./world.js";

async function setUp(options: FanfareOptions = {}) {
  const server = await serve(options);
  onTestFinished(() => server.close());
  const client = (options: ClientOptions = {}, url = server.url): Client => {
    const made = clientOf(url, options);
    onTestFinished(() => made.close());
    return made;
  };
  return { ...server, client };
}

async function listening(client: Client, channel: string): Promise<Recorder<Message>> {
  const heard = new Recorder<Message>();
  await withDeadline(
    new Promise<void>((onSubscribed) =>
      client.subscribe(channel, heard.add, { onSubscribed: () => onSubscribed() }),
    ),
    `a subscription to ${channel}`,
  );
  return heard;
}

test("a message of a user says whose it is, and comes back with its key and position", async () => {
  const { fanfare, client } = await setUp({
    access: "granted",
    tokens: { secrets: ["the-secret-of-the-tests-0123456789abcdef"] },
    userGrants: [{ channels: "chat:*", actions: ["subscribe", "publish"] }],
  });
  const as = async (user: string) =>
    client({ token: (await fanfare.token({ user, grants: [], expiresInSeconds: 60 })).token });
  const [alice, bob] = [await as("alice"), await as("bob")];
  const heard = await listening(bob, "chat:1");
  await listening(alice, "chat:1");
  const position = await alice.publish("chat:1", { text: "hello" }, { event: "said", id: "k" });
  await alice.publish("chat:1", { user: "bob" });
  const [first, second] = await heard.atLeast(2);
  expect(first).toMatchObject({ user: "alice", event: "said", id: "k", offset: position.offset });
  expect(second).toMatchObject({
    user: "alice",
    data: { user: "bob" },
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
  });

  await expect(alice.publish("news", 1)).rejects.toMatchObject({
    code: "forbidden",
    remedy: expect.stringContaining("publish"),
  });
  await alice.publish("chat:1", { text: "still here" });
});

test("a state is patched, and only in the version that was seen", async () => {
  const { client } = await setUp();
  const [one, other] = [client(), client()];
  const states = new Recorder<unknown>();
  const options = { onState: ({ state }: { state: unknown }) => states.add(state) };
  const seen = one.subscribe("game:1", () => {}, options);
  await inState(one, "connected");
  expect(seen.stateVersion).toBeNull();
  await one.patch("game:1", { turn: "x" }, { ifVersion: seen.stateVersion });
  await states.atLeast(1);
  const before = seen.stateVersion;
  await listening(other, "elsewhere");
  const version = await other.patch("game:1", { turn: "o" });
  await states.atLeast(2);
  expect(seen.stateVersion).toEqual(version);
  await expect(one.patch("game:1", { turn: "y" }, { ifVersion: before })).rejects.toMatchObject({
    code: "version_mismatch",
  });
  await one.patch("game:1", { turn: null }, { ifVersion: version });
  expect(await states.atLeast(3)).toEqual([{ turn: "x" }, { turn: "o" }, {}]);
});

test("what is published without a connection waits for one, in order, and the page knows how much", async () => {
  const { port, url, fanfare, client } = await setUp();
  const proxy = await TcpProxy.to(port);
  onTestFinished(() => proxy.close());
  proxy.refuse();
  const from = client({ queue: true, random: () => 0.01 }, url.replace(`:${port}`, `:${proxy.port}`));
  const waiting: number[] = [];
  from.on("queue", (count) => waiting.push(count));
  // Nothing was asked of the server before; so this connects, too.
  const published = [1, 2, 3].map((data) => from.publish("chat", data));
  const patched = from.patch("chat", { typing: null, by: "me" });
  expect([from.queued, waiting]).toEqual([4, [1, 2, 3, 4]]);
  await inState(from, "reconnecting");
  proxy.heal();
  await Promise.all([...published, patched]);
  expect((await fanfare.history("chat")).messages.map(({ data }) => data)).toEqual([1, 2, 3]);
  expect(await fanfare.states.get("chat")).toMatchObject({ state: { by: "me" } });
  expect([from.queued, waiting.at(-1)]).toEqual([0, 0]);
});

test("what was on its way when the connection was lost is sent again, and stands once", async () => {
  const { port, url, fanfare, client } = await setUp();
  const proxy = await TcpProxy.to(port);
  onTestFinished(() => proxy.close());
  const from = client({ queue: true, random: () => 0.01 }, url.replace(`:${port}`, `:${proxy.port}`));
  from.connect();
  await inState(from, "connected");
  // The answers come too late: the message is there, and its publisher does not know.
  proxy.lag(50);
  const published = from.publish("chat", "once");
  const head = async () => (await fanfare.position("chat")).offset;
  let arrived = 0;
  await eventually(() => {
    void head().then((offset) => {
      arrived = offset;
    });
    return arrived === 1;
  }, "the message is there");
  proxy.cut();
  proxy.heal();
  expect(await published).toMatchObject({ offset: 1 });
  expect(await head()).toBe(1);
});

test("after the page has closed the client nothing waits", async () => {
  const { client } = await setUp();
  const from = client({ queue: true });
  const waiting = from.publish("chat", 1);
  from.close();
  await expect(waiting).rejects.toMatchObject({ code: "not_connected" });
  await expect(from.publish("chat", 1)).rejects.toMatchObject({
    code: "not_connected",
    remedy: "Call connect().",
  });
});

test("what is too large is refused by the call, on each side of what the server reads of a frame", async () => {
  const { client } = await setUp({ limits: { messageBytes: 40_000, stateBytes: 50 } });
  const one = client();
  const heard = await listening(one, "chat");
  const id = one.connection.status === "connected" && one.connection.id;
  for (const length of [39_999, 40_100, 44_050, 100_000, 3_000_000]) {
    await expect(one.publish("chat", "x".repeat(length))).rejects.toMatchObject({ code: "too_large" });
  }
  await one.patch("chat", { a: "x".repeat(40) });
  await expect(one.patch("chat", { b: 1 })).rejects.toMatchObject({ code: "too_large" });
  await expect(one.lock("chat", { info: "x".repeat(2000) })).rejects.toMatchObject({ code: "too_large" });
  await one.publish("chat", "x".repeat(39_998));
  await heard.atLeast(1);
  expect(one.connection).toMatchObject({ status: "connected", id });
});
