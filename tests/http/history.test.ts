import { describe, expect, test } from "vitest";
import type { History } from "../../packages/server/src/index.js";
import { historyOf, post, problemOf, serve } from "../library/serve.js";

async function withMessages(count: number) {
  const served = await serve({ rules: [{ channels: "**", history: 2000 }] });
  for (let number = 1; number <= count; number++) await served.fanfare.publish("a", number);
  const { epoch } = await served.fanfare.position("a");
  const ask = async (query: string) => {
    const answer = await fetch(`${served.messages}?${query}`);
    return { status: answer.status, page: await historyOf(answer), headers: answer.headers };
  };
  const refusal = async (query: string) => problemOf(await fetch(`${served.messages}?${query}`));
  return { ...served, epoch, ask, refusal };
}

const offsets = (page: History) => page.messages.map(({ offset }) => offset);

describe("the history over HTTP", () => {
  test("is the oldest 100 messages unless a limit is given, and may not be kept by caches", async () => {
    const { ask } = await withMessages(1001);
    const { page, headers } = await ask("");
    expect(offsets(page)).toHaveLength(100);
    expect(page).toMatchObject({ first: 1, head: 1001 });
    expect(headers.get("cache-control")).toBe("no-store");
    expect(offsets((await ask("limit=1")).page)).toEqual([1]);
    expect(offsets((await ask("limit=1000")).page)).toHaveLength(1000);
  });

  test("ends after 1 MiB of data, whatever the limit, and goes on after its last message up to the head", async () => {
    const { fanfare, ask, epoch } = await withMessages(0);
    for (let number = 1; number <= 40; number++) await fanfare.publish("a", "x".repeat(60_000));
    await fanfare.states.patch("a", { between: true });
    const seen: number[] = [];
    let pages = 0;
    for (let after = 0; ; ) {
      const { page } = await ask(`limit=1000&after=${epoch}:${after}`);
      expect(page.head).toBe(41);
      if (page.messages.length === 0) break;
      pages++;
      expect(JSON.stringify(page).length).toBeLessThan(1024 * 1024 + 10_000);
      expect(await fanfare.history("a", { limit: 1000, after: `${epoch}:${after}` })).toEqual(page);
      seen.push(...offsets(page));
      after = seen.at(-1) ?? 0;
    }
    expect(pages).toBe(3);
    expect(seen).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  });

  test.each(["0", "1001", "-1", "1.5", "1e2", "0x10", "", "%205", "NaN", "Infinity", "true", "9".repeat(40)])(
    "the limit %s is refused, and named",
    async (limit) => {
      const { refusal } = await withMessages(1);
      expect(await refusal(`limit=${limit}`)).toMatchObject({
        status: 400,
        code: "invalid_request",
        detail: expect.stringContaining("limit is "),
      });
    },
  );

  test("begins after a position, and is empty after the newest", async () => {
    const { ask, epoch } = await withMessages(5);
    expect(offsets((await ask(`after=${epoch}:3`)).page)).toEqual([4, 5]);
    expect(offsets((await ask(`after=${epoch}%3A3`)).page)).toEqual([4, 5]);
    expect(offsets((await ask(`after=${epoch}:3&limit=1`)).page)).toEqual([4]);
    expect((await ask(`after=${epoch}:5`)).page).toMatchObject({ head: 5, messages: [] });
    expect((await ask(`after=${epoch}:6`)).page).toMatchObject({ head: 5, messages: [] });
  });

  test("begins with the oldest held after a position of another epoch", async () => {
    const { ask, epoch } = await withMessages(3);
    const { page } = await ask("after=00000000000000ff:2");
    expect(page).toMatchObject({ epoch, first: 1, head: 3 });
    expect(offsets(page)).toEqual([1, 2, 3]);
  });

  test.each([
    "",
    "x",
    "17",
    "0123456789abcdef",
    "0123456789abcdef:",
    "0123456789abcdef:-1",
    "0123456789abcdef:01",
    "0123456789abcdef:1.5",
    "0123456789abcdef:9007199254740993",
    "0123456789ABCDEF:1",
    "0123456789abcdef:1:2",
    "%00%1b%5b31m",
  ])("after=%s is refused as no position", async (after) => {
    const { refusal } = await withMessages(1);
    expect(await refusal(`after=${after}`)).toMatchObject({
      status: 400,
      code: "invalid_position",
      detail: expect.stringMatching(/^[\x20-\x7e]+$/),
    });
  });

  test("of a channel that nobody has used is empty, and makes no log", async () => {
    const { base, fanfare } = await withMessages(0);
    const page = await historyOf(await fetch(`${base}/channels/quiet/messages`));
    expect(page).toMatchObject({ channel: "quiet", first: 1, head: 0, messages: [] });
    expect(page.epoch).toBe((await fanfare.position("other")).epoch);
  });

  test("gives events and keys as JSON, whatever characters they have", async () => {
    const { messages } = await serve();
    await post(messages, { event: 'a"\n\u2028', data: { 'b"': "\n" } }, { "Idempotency-Key": 'c"\\' });
    expect(await (await fetch(messages)).json()).toMatchObject({
      messages: [{ event: 'a"\n\u2028', data: { 'b"': "\n" }, id: 'c"\\' }],
    });
  });
});
