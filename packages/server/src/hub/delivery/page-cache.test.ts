import { parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { aHub } from "../../testing/a-hub.js";
import { turns } from "../../testing/fake-clock.js";
import { LineEncoding } from "../../testing/fake-subscriber.js";
import type { WirePage } from "../log/page.js";
import { PageCache } from "./page-cache.js";

const channelNamed = (name: string) => aHub().hub.channels.get(parseChannelName(name));
const page = (offset: number): WirePage => ({
  bytes: new Uint8Array(1),
  count: 1,
  offset,
  messages: 1,
  gaps: null,
});

test("a page is found again by channel, place and encoding", () => {
  const cache = new PageCache();
  const [news, others] = [channelNamed("news"), channelNamed("news")];
  const encoding = new LineEncoding();
  cache.put(news, 3, encoding, page(4));
  expect(cache.get(news, 3, encoding)).toEqual(page(4));
  expect(cache.get(news, 4, encoding)).toBeNull();
  expect(cache.get(others, 3, encoding)).toBeNull();
  expect(cache.get(news, 3, new LineEncoding())).toBeNull();
});

test("so many pages are kept at most, the newest", () => {
  const cache = new PageCache();
  const news = channelNamed("news");
  const encoding = new LineEncoding();
  for (let place = 0; place < 500; place++) cache.put(news, place, encoding, page(place));
  expect(cache.get(news, 371, encoding)).toBeNull();
  expect(cache.get(news, 372, encoding)).toEqual(page(372));
  cache.clear();
  expect(cache.get(news, 499, encoding)).toBeNull();
});

test("a page is built anew when more has been flushed since", async () => {
  const { open, subscribe, publish, position } = aHub();
  subscribe(open(), "news");
  const since = await position("news");
  await turns(3);
  const encoding = new LineEncoding();
  for (const stories of [["1"], ["1", "2"], ["1", "2", "3"]]) {
    await publish("news", "x");
    await turns(2);
    const subscriber = open({ encoding });
    subscribe(subscriber, "news", since);
    await turns(3);
    expect(subscriber.story.slice(1)).toEqual(stories);
    expect(subscriber.writes.length).toBe(2);
  }
});
