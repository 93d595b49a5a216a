import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { MemoryEngine } from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { problemOf, serve } from "../library/serve.js";

interface Connections {
  connections: { connection: string }[];
  next: string | null;
}

async function serving(options: Parameters<typeof serve>[0] = {}) {
  const served = await serve(options);
  const url = `${served.base}/connections`;
  const join = async () => {
    const client = await Client.open(`ws://127.0.0.1:${served.port}/push`);
    const { connection, session } = await client.connect();
    return { client, connection, session, at: `${url}/${connection}` };
  };
  const list = async (query = "") => (await (await fetch(`${url}${query}`)).json()) as Connections;
  return { ...served, url, join, list };
}

describe("the connections", () => {
  test("are listed with how each keeps up", async () => {
    const before = Date.now();
    const { join, list } = await serving();
    const { client, connection } = await join();
    await client.subscribe("a");
    await client.subscribe("b");
    expect(await list()).toEqual({
      connections: [
        {
          connection,
          node: `${hostname()}:${process.pid}`,
          door: "websocket",
          since: expect.toSatisfy((since: number) => since >= before && since <= Date.now()),
          subscriptions: 2,
          lagging: 0,
          waitingBytes: 0,
          full: false,
          furthestBehind: 0,
        },
      ],
      next: null,
      silent: [],
    });
  });

  test("go page by page, by name, and are gone when they left", async () => {
    const { join, list } = await serving();
    const joined = await Promise.all(Array.from({ length: 5 }, join));
    const names = joined.map(({ connection }) => connection).sort();
    const first = await list("?limit=2");
    const second = await list(`?limit=2&after=${first.next}`);
    const third = await list(`?limit=2&after=${second.next}`);
    const found = [first, second, third].flatMap(({ connections }) => connections);
    expect(found.map(({ connection }) => connection)).toEqual(names);
    expect([first.next, second.next, third.next]).toEqual([names[1], names[3], null]);
    expect((await list("?limit=5")).next).toBeNull();
    for (const { client } of joined) await client.leave();
    expect(await list()).toEqual({ connections: [], next: null, silent: [] });
  });

  test.each(["limit=0", "limit=x", "after=", `after=${"x".repeat(101)}`])(
    "with %s are refused",
    async (query) => {
      const { url } = await serving();
      expect(await problemOf(await fetch(`${url}?${query}`))).toMatchObject({
        status: 400,
        code: "invalid_request",
        detail: expect.stringContaining(query.split("=")[0] ?? ""),
      });
    },
  );

  test("say one by one how far behind each channel is", async () => {
    const { join, fanfare } = await serving();
    const { client, at, connection } = await join();
    await client.subscribe("b");
    await client.subscribe("a");
    await fanfare.publish("a", 1);
    await client.offsets(1);
    expect(await (await fetch(at)).json()).toMatchObject({
      connection,
      subscriptions: 2,
      channels: [
        { channel: "a", state: "live", behind: 0 },
        { channel: "b", state: "live", behind: 0 },
      ],
    });
  });

  test.each(["nobody", "__proto__", "%1b", "x".repeat(300)])("called %s are 404", async (name) => {
    const { url } = await serving();
    expect(await problemOf(await fetch(`${url}/${name}`))).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("a client that is sent away", () => {
  test("is closed with 4410, is told why, and cannot go on with its session", async () => {
    const { join, list, port } = await serving();
    const { client, at, session } = await join();
    const answer = await fetch(at, { method: "DELETE" });
    expect([answer.status, await answer.text()]).toEqual([204, ""]);
    expect(await client.closed).toEqual({ code: 4410, reason: expect.stringContaining("administrator") });
    expect(await list()).toEqual({ connections: [], next: null, silent: [] });
    const again = await Client.open(`ws://127.0.0.1:${port}/push`);
    expect(await again.connect({ session })).toMatchObject({ resumed: false });
    expect((await fetch(at, { method: "DELETE" })).status).toBe(404);
  });

  test("may be on another node", async () => {
    const engine = new MemoryEngine();
    const [here, there] = [await serving({ engine }), await serving({ engine })];
    const { client, connection, at } = await there.join();
    expect(await (await fetch(`${here.url}/${connection}`)).json()).toMatchObject({ connection });
    expect((await fetch(`${here.url}/${connection}`, { method: "DELETE" })).status).toBe(204);
    expect((await client.closed).code).toBe(4410);
    expect((await fetch(at)).status).toBe(404);
  });

  test("is 404 when no node knows it", async () => {
    const { url } = await serving();
    const problem = await problemOf(await fetch(`${url}/nobody`, { method: "DELETE" }));
    expect(problem).toMatchObject({
      code: "not_found",
      detail: expect.stringContaining('"nobody" on any node'),
    });
  });
});
