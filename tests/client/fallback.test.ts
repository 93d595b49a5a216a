/** A client behind a proxy that blocks WebSockets: it goes on by Server-Sent Events, and goes back when the proxy relents. */
import { afterEach, describe, expect, test } from "vitest";
import type {
  Client,
  ClientError,
  ClientOptions,
  Gap,
  JsonObject,
  Message,
  Subscribed,
} from "../../packages/client/src/index.js";
import type { FanfareOptions } from "../../packages/server/src/index.js";
import { HttpProxy } from "./http-proxy.js";
import { clientOf, eventually, inState, Recorder, serve, urlOf, withDeadline } from "./world.js";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function blocked(options: FanfareOptions = {}, ofClient: ClientOptions = {}) {
  const server = await serve(options);
  cleanUps.push(() => server.close());
  const proxy = await HttpProxy.to(server.port);
  cleanUps.push(() => proxy.close());
  const client = clientOf(urlOf(proxy.port), { random: () => 0, ...ofClient });
  cleanUps.push(() => client.close());
  return { ...server, proxy, client };
}

function follow(client: Client, channel: string) {
  const messages = new Recorder<Message>();
  const gaps = new Recorder<Gap>();
  const starts = new Recorder<Subscribed>();
  const errors = new Recorder<Error>();
  const states = new Recorder<JsonObject | null>();
  const subscription = client.subscribe(channel, messages.add, {
    onGap: gaps.add,
    onSubscribed: starts.add,
    onError: errors.add,
    onState: ({ state }) => states.add(state),
  });
  return { messages, gaps, starts, errors, states, subscription };
}

/** Resolves when the client is connected this way. */
async function by(client: Client, transport: "websocket" | "sse"): Promise<void> {
  await withDeadline(
    new Promise<void>((done) => {
      const look = () => {
        const { connection } = client;
        if (connection.status === "connected" && connection.transport === transport) done();
      };
      client.on("connection", look);
      look();
    }),
    `connected by ${transport}`,
    () => JSON.stringify(client.connection),
  );
}

const wordsOf = ({ code, message, remedy }: ClientError) => ({ code, message, remedy });
const dataOf = (messages: readonly Message[]) => messages.map(({ data }) => data);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe("behind a proxy that blocks WebSockets", () => {
  test("a client is connected by Server-Sent Events, says so, and hears everything", async () => {
    const { client, fanfare, proxy } = await blocked();
    const a = follow(client, "a");
    const b = follow(client, "b");
    await by(client, "sse");
    await Promise.all([a.starts.atLeast(1), b.starts.atLeast(1)]);
    await fanfare.publish("a", 1);
    await fanfare.publish("b", 2, { event: "named" });
    expect(await a.messages.atLeast(1)).toMatchObject([
      { type: "message", channel: "a", event: "message", data: 1 },
    ]);
    expect(await b.messages.atLeast(1)).toMatchObject([{ channel: "b", event: "named", data: 2 }]);
    expect(proxy.refused).toBeGreaterThanOrEqual(2);
  });

  test("a lost stream is recovered, in order and once", async () => {
    const { client, fanfare, proxy } = await blocked();
    const { messages, gaps, starts } = follow(client, "a");
    await starts.atLeast(1);
    await fanfare.publish("a", 1);
    await messages.atLeast(1);
    for (let round = 0; round < 3; round++) {
      proxy.cut();
      await inState(client, "reconnecting");
      for (let index = 0; index < 10; index++) await fanfare.publish("a", messages.items.length + index + 1);
      await messages.atLeast(1 + 10 * (round + 1));
    }
    expect(dataOf(messages.items)).toEqual(upTo(31));
    expect(gaps.items).toEqual([]);
    expect(starts.items.slice(1).every(({ recovered }) => recovered)).toBe(true);
  });

  test("channels come and go without the others missing anything", async () => {
    const { client, fanfare } = await blocked();
    const first = follow(client, "first");
    await first.starts.atLeast(1);
    let published = 0;
    for (let round = 0; round < 10; round++) {
      const other = follow(client, `other:${round}`);
      await fanfare.publish("first", ++published);
      await other.starts.atLeast(1);
      await fanfare.publish("first", ++published);
      other.subscription.unsubscribe();
      await fanfare.publish("first", ++published);
    }
    await first.messages.atLeast(published);
    expect(dataOf(first.messages.items)).toEqual(upTo(published));
    expect(first.gaps.items).toEqual([]);
    expect(first.starts.items).toHaveLength(1);
  });

  test("what the log lost meanwhile is a gap", async () => {
    const { client, fanfare, proxy } = await blocked({ rules: [{ channels: "a", history: 2 }] });
    const { messages, gaps, starts } = follow(client, "a");
    await starts.atLeast(1);
    await fanfare.publish("a", 1);
    await messages.atLeast(1);
    proxy.cut();
    await inState(client, "reconnecting");
    for (let data = 2; data <= 9; data++) await fanfare.publish("a", data);
    await messages.atLeast(3);
    expect(dataOf(messages.items)).toEqual([1, 8, 9]);
    expect(gaps.items).toEqual([{ type: "gap", channel: "a", reason: "evicted", from: 2, to: 7 }]);
  });

  test("who may not read the history is told of a hole only when there is one", async () => {
    const { client, fanfare } = await blocked({ anonymous: [{ channels: "*", actions: ["subscribe"] }] });
    const first = follow(client, "first");
    await first.starts.atLeast(1);
    await fanfare.publish("first", 1);
    await first.messages.atLeast(1);
    await follow(client, "second").starts.atLeast(1);
    await fanfare.publish("first", 2);
    await first.messages.atLeast(2);
    expect(first.gaps.items).toEqual([]);
    const third = follow(client, "third");
    for (let data = 3; data <= 30; data++) await fanfare.publish("first", data);
    await third.starts.atLeast(1);
    await fanfare.publish("first", "end");
    await eventually(() => first.messages.items.at(-1)?.data === "end", "the end arrives");
    const missed = first.gaps.items.reduce((sum, { from, to }) => sum + (to ?? 0) - (from ?? 0) + 1, 0);
    expect(first.messages.items.length + missed).toBe(31);
    expect(first.gaps.items.every(({ reason }) => reason === "not_allowed_history")).toBe(true);
  });

  test("the state of a channel is there, and follows", async () => {
    const { client, fanfare } = await blocked();
    await fanfare.states.patch("job", { done: 1 });
    const { states } = follow(client, "job");
    expect(await states.atLeast(1)).toEqual([{ done: 1 }]);
    await fanfare.states.patch("job", { done: 2 });
    expect((await states.atLeast(2)).at(-1)).toEqual({ done: 2 });
  });

  test("a page publishes, once for each key, and is told what is refused", async () => {
    const { client } = await blocked({ limits: { messageBytes: 100 } });
    const { messages, starts } = follow(client, "a");
    await starts.atLeast(1);
    const position = await client.publish("a", { n: 1 }, { event: "said", id: "k1" });
    expect(await client.publish("a", { n: 1 }, { event: "said", id: "k1" })).toEqual(position);
    expect(await messages.atLeast(1)).toMatchObject([{ event: "said", data: { n: 1 }, id: "k1" }]);
    await expect(client.publish("a", "x".repeat(200))).rejects.toMatchObject({ code: "too_large" });
    expect(client.connection.status).toBe("connected");
  });

  test.each(["anonymous", "a user"])(
    "what may not be done is refused in the same words as on a WebSocket: %s",
    async (who) => {
      const secret = "the-secret-of-the-tests-0123456789abcdef";
      const grants = [{ channels: "b", actions: ["subscribe"] as const }];
      let tokenOf = async () => "";
      const ofClient: ClientOptions = who === "anonymous" ? {} : { getToken: () => tokenOf() };
      const { client, fanfare, url } = await blocked(
        { anonymous: grants, tokens: { secrets: [secret] } },
        ofClient,
      );
      tokenOf = async () => (await fanfare.token({ user: "alice", grants })).token;
      const other = clientOf(url, ofClient);
      cleanUps.push(() => other.close());
      const refusals = async (each: Client, transport: "websocket" | "sse") => {
        const calls: Promise<unknown>[] = [];
        follow(each, "b");
        await by(each, transport);
        calls.push(each.publish("a", 1), each.publish("a", 1, { event: "e", id: "k" }));
        calls.push(each.patch("a", {}), each.patch("a", {}, { ifVersion: null }));
        return await Promise.all(calls.map((call) => call.catch(wordsOf)));
      };
      const said = await refusals(client, "sse");
      expect(said).toEqual(await refusals(other, "websocket"));
      expect(said).toMatchObject([1, 2, 3, 4].map(() => ({ code: "forbidden" })));
    },
  );

  test("an anonymous page that may only publish does, and is told what it may not hear", async () => {
    const secret = "the-secret-of-the-tests-0123456789abcdef";
    const { client, fanfare } = await blocked({
      anonymous: [{ channels: "form:*", actions: ["publish"] }],
      tokens: { secrets: [secret] },
    });
    client.connect();
    await by(client, "sse");
    expect((await client.publish("form:1", "hello")).offset).toBe(1);
    expect(await follow(client, "form:1").errors.atLeast(1)).toMatchObject([{ code: "forbidden" }]);
    await client.publish("form:1", "again");
    expect((await fanfare.history("form:1")).messages).toHaveLength(2);
  });

  test("an anonymous page that may do nothing is told why, and does not ask again and again", async () => {
    const secret = "the-secret-of-the-tests-0123456789abcdef";
    const { client } = await blocked({ anonymous: [], tokens: { secrets: [secret] } });
    client.connect();
    expect(await inState(client, "closed")).toMatchObject({
      code: 4401,
      reason: "Anonymous clients may not subscribe to any channel (no grants).",
    });
  });

  test("what a page publishes in one go arrives in that order", async () => {
    const { client } = await blocked({}, { queue: true });
    const { messages, starts } = follow(client, "a");
    await starts.atLeast(1);
    await Promise.all(upTo(20).map((data) => client.publish("a", data)));
    await messages.atLeast(20);
    expect(dataOf(messages.items)).toEqual(upTo(20));
  });

  test("one channel that is refused leaves the others alone", async () => {
    const { client, fanfare } = await blocked({ anonymous: [{ channels: "b", actions: ["subscribe"] }] });
    const refused = follow(client, "a");
    const heard = follow(client, "b");
    expect(await refused.errors.atLeast(1)).toMatchObject([{ code: "forbidden" }]);
    await heard.starts.atLeast(1);
    await fanfare.publish("b", 1);
    await heard.messages.atLeast(1);
  });

  test("a token is sent, and a wrong one closes the client for good", async () => {
    const secret = "the-secret-of-the-tests-0123456789abcdef";
    const options: FanfareOptions = { access: "granted", tokens: { secrets: [secret] } };
    let token = "not.a.token";
    const { client, fanfare } = await blocked(options, { getToken: () => token });
    const { starts } = follow(client, "a");
    expect(await inState(client, "closed")).toMatchObject({ code: 4401 });
    token = (await fanfare.token({ user: "alice", grants: [{ channels: "a", actions: ["subscribe"] }] }))
      .token;
    client.connect();
    await by(client, "sse");
    await starts.atLeast(1);
    await fanfare.logOut("alice");
    expect(await inState(client, "closed")).toMatchObject({ code: 4401 });
  });

  test("a client that is not to fall back does not", async () => {
    const { client, proxy } = await blocked({}, { sse: false });
    follow(client, "a");
    await eventually(() => proxy.refused > 4, "it tries again and again");
    expect(proxy.asked).toEqual([]);
  });
});

describe("when the proxy relents", () => {
  test("the client goes back to a WebSocket, and nothing is lost or comes twice", async () => {
    const { client, fanfare, proxy } = await blocked();
    const { messages, gaps, starts } = follow(client, "a");
    await by(client, "sse");
    await starts.atLeast(1);
    proxy.relent();
    let published = 0;
    const publishing = (async () => {
      while (proxy.upgraded < 2 || published < 50) {
        await fanfare.publish("a", ++published);
        await new Promise<void>((done) => setImmediate(done));
      }
    })();
    await by(client, "websocket");
    await publishing;
    await messages.atLeast(published);
    expect(dataOf(messages.items)).toEqual(upTo(published));
    expect(gaps.items).toEqual([]);
    expect(starts.items.slice(1).every(({ recovered }) => recovered)).toBe(true);
    // And by Server-Sent Events again, when it blocks again.
    proxy.block();
    await by(client, "sse");
    await fanfare.publish("a", ++published);
    await messages.atLeast(published);
    expect(dataOf(messages.items)).toEqual(upTo(published));
  });

  test("a server that was away is back on a WebSocket soon", async () => {
    const server = await serve();
    const client = clientOf(server.url, { random: () => 0 });
    cleanUps.push(() => client.close());
    follow(client, "a");
    await by(client, "websocket");
    await server.close();
    await eventually(
      () => client.connection.status === "reconnecting" && client.connection.attempt > 3,
      "it tries in vain",
    );
    const again = await serve({}, server.port);
    cleanUps.push(() => again.close());
    await by(client, "websocket");
  });
});
