import { describe, expect, test } from "vitest";
import { Client } from "../doors/client.js";
import { problemOf, serve } from "../library/serve.js";

interface Channels {
  channels: { channel: string; epoch: string; head: number; first: number; subscribers: number }[];
  next: string | null;
}

async function withChannels(names: readonly string[]) {
  const served = await serve();
  for (const name of names) await served.fanfare.publish(name, name);
  const list = async (query = "") => {
    const answer = await fetch(`${served.base}/channels${query}`);
    expect(answer.status).toBe(200);
    return (await answer.json()) as Channels;
  };
  return { ...served, list };
}

describe("the list of channels", () => {
  test("is empty at first, and may not be kept by caches", async () => {
    const { base } = await withChannels([]);
    const answer = await fetch(`${base}/channels`);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(await answer.json()).toEqual({ channels: [], next: null });
  });

  test("says where each stands and who listens on this node", async () => {
    const { list, fanfare, port } = await withChannels(["b", "b"]);
    const client = await Client.connect(`ws://127.0.0.1:${port}/push`);
    await client.subscribe("a");
    await client.subscribe("b");
    const { epoch } = await fanfare.position("b");
    expect(await list()).toEqual({
      channels: [
        { channel: "a", epoch, head: 0, first: 1, subscribers: 1 },
        { channel: "b", epoch, head: 2, first: 1, subscribers: 1 },
      ],
      next: null,
    });
  });

  test("goes page by page, by name, to an end that says so", async () => {
    const names = ["10", "9", "Z", "a", "a-b", "a:b", "b"];
    const { list } = await withChannels([...names].reverse());
    for (const limit of [1, 2, 3, 7, 8, 1000]) {
      const found: string[] = [];
      let next: string | null = "";
      let pages = 0;
      while (next !== null) {
        const page: Channels = await list(
          `?limit=${limit}${next === "" ? "" : `&after=${encodeURIComponent(next)}`}`,
        );
        found.push(...page.channels.map(({ channel }) => channel));
        next = page.next;
        pages++;
      }
      expect(found).toEqual(names);
      expect(pages).toBe(Math.ceil(names.length / limit));
    }
  });

  test("has 100 on a page unless a limit is given", async () => {
    const { list } = await withChannels(Array.from({ length: 101 }, (_, index) => `c${1000 + index}`));
    const { channels, next } = await list();
    expect([channels.length, next]).toEqual([100, "c1099"]);
    expect(await list(`?after=${next}`)).toMatchObject({ channels: [{ channel: "c1100" }], next: null });
    expect(await list("?after=zzz")).toEqual({ channels: [], next: null });
  });

  test.each([
    ["limit=0", "invalid_request", '"0"'],
    ["limit=1001", "invalid_request", '"1001"'],
    ["limit=1e2", "invalid_request", '"1e2"'],
    ["limit=", "invalid_request", '""'],
    ["after=", "invalid_channel", '""'],
    ["after=a%20b", "invalid_channel", '"a b"'],
    ["after=$x", "invalid_channel", '"$x"'],
  ])("with %s is refused, and the value named", async (query, code, named) => {
    const { base } = await withChannels([]);
    const problem = await problemOf(await fetch(`${base}/channels?${query}`));
    expect(problem).toMatchObject({ status: 400, code, detail: expect.stringContaining(named) });
  });
});
