import fc from "fast-check";
import { expect, test } from "vitest";
import { LineEncoding } from "../../testing/fake-subscriber.js";
import { aMessage, EPOCH, NEWS } from "../../testing/scripted-engine.js";
import { Entry } from "./entry.js";
import { buildPage, overtakenIn, PAGE_BYTES, type PageOptions, type WirePage } from "./page.js";

const encoding = new LineEncoding();
const entry = (offset: number, bytes = 10, event = "message", except?: string) =>
  Entry.ofMessage(
    aMessage(offset, { event, json: `"${"x".repeat(bytes)}"`, ...(except !== undefined && { except }) }),
  );
const aGap = (from: number, to: number) =>
  Entry.ofGap({ channel: NEWS, epoch: EPOCH, from, to, reason: "evicted" }, 0);

function framesOf({ bytes }: WirePage): string[] {
  const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
  return lines.map((line) => {
    const { type, offset, from, to, reason } = JSON.parse(line);
    return type === "message" ? `${offset}` : `gap ${from}-${to} ${reason}`;
  });
}
function pagesOf(entries: readonly Entry[], options?: PageOptions): WirePage[] {
  const pages: WirePage[] = [];
  for (let start = 0; start < entries.length; ) {
    const page = buildPage(entries, start, encoding, options);
    expect(page.count).toBeGreaterThan(0);
    pages.push(page);
    start += page.count;
  }
  return pages;
}

test("entries that fit are joined into one page", () => {
  const page = buildPage([entry(1), entry(2), aGap(3, 5), entry(6)], 0, encoding);
  expect(framesOf(page)).toEqual(["1", "2", "gap 3-5 evicted", "6"]);
  expect(page).toMatchObject({ count: 4, offset: 6 });
});

test("a single frame is not copied", () => {
  const only = entry(1);
  expect(buildPage([only], 0, encoding).bytes).toBe(only.frame(encoding));
});

test("a page ends before the frame that would make it larger than 64 KiB", () => {
  const entries = Array.from({ length: 10 }, (_, index) => entry(index + 1, 20_000));
  const pages = pagesOf(entries);
  expect(pages.map(({ count }) => count)).toEqual([3, 3, 3, 1]);
  expect(pages.map(({ offset }) => offset)).toEqual([3, 6, 9, 10]);
  for (const { bytes } of pages) expect(bytes.length).toBeLessThanOrEqual(PAGE_BYTES);
});

test("a frame larger than a page is a page of its own", () => {
  const pages = pagesOf([entry(1), entry(2, PAGE_BYTES), entry(3)]);
  expect(pages.map(framesOf)).toEqual([["1"], ["2"], ["3"]]);
});

test("of each event name only the newest is delivered, and each run of others is one gap", () => {
  const entries = [entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c"), entry(4, 1, "a"), entry(5, 1, "b")];
  const page = buildPage(entries, 0, encoding, { overtaken: overtakenIn(entries) });
  expect(framesOf(page)).toEqual(["gap 1-2 conflated", "3", "4", "5"]);
  expect(page).toMatchObject({ count: 5, offset: 5 });
});

test("a hole between overtaken messages keeps its place", () => {
  const entries = [entry(1), aGap(2, 3), entry(4), entry(5)];
  const page = buildPage(entries, 0, encoding, { overtaken: overtakenIn(entries) });
  expect(framesOf(page)).toEqual(["gap 1-1 conflated", "gap 2-3 evicted", "gap 4-4 conflated", "5"]);
});

test("a large frame after a conflated gap comes in the next page", () => {
  const entries = [entry(1), entry(2, PAGE_BYTES)];
  const pages = pagesOf(entries, { overtaken: overtakenIn(entries) });
  expect(pages.map(framesOf)).toEqual([["gap 1-1 conflated"], ["2"]]);
});

test("a message that is kept from the recipient is left out, and the page stands after it", () => {
  const entries = [entry(1), entry(2, 10, "message", "me"), entry(3), entry(4, 10, "message", "me")];
  const mine = buildPage(entries, 0, encoding, { recipient: "me" });
  expect(framesOf(mine)).toEqual(["1", "3"]);
  expect(mine).toMatchObject({ count: 4, offset: 4 });
  expect(framesOf(buildPage(entries, 0, encoding, { recipient: "you" }))).toEqual(["1", "2", "3", "4"]);
  expect(framesOf(buildPage(entries, 0, encoding))).toEqual(["1", "2", "3", "4"]);
});

test("a page of nothing but kept messages is empty", () => {
  const page = buildPage([entry(1, 10, "message", "me")], 0, encoding, { recipient: "me" });
  expect(page.bytes.length).toBe(0);
  expect(page).toMatchObject({ count: 1, offset: 1 });
});

test("whatever the entries, pages together say of each offset whether it comes, and none is too large", () => {
  const piece = fc.record({
    hole: fc.constantFrom(0, 0, 0, 2),
    bytes: fc.oneof({ weight: 5, arbitrary: fc.nat(3000) }, fc.nat(90_000)),
    event: fc.constantFrom("a", "b", "c"),
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60, size: "max" }), fc.boolean(), (pieces, latest) => {
      const entries: Entry[] = [];
      let head = 0;
      for (const { hole, bytes, event } of pieces) {
        if (hole > 0) entries.push(aGap(head + 1, head + hole));
        head += hole + 1;
        entries.push(entry(head, bytes, event));
      }
      const pages = pagesOf(entries, latest ? { overtaken: overtakenIn(entries) } : {});
      let next = 1;
      for (const page of pages) {
        const frames = framesOf(page);
        if (frames.length > 1) expect(page.bytes.length).toBeLessThanOrEqual(PAGE_BYTES);
        for (const frame of frames) {
          const [from, to] = frame.startsWith("gap")
            ? (frame.split(" ")[1] ?? "").split("-")
            : [frame, frame];
          expect(Number(from)).toBe(next);
          next = Number(to) + 1;
        }
        expect(page.offset).toBe(next - 1);
      }
      expect(next).toBe(head + 1);
    }),
    { numRuns: 100 },
  );
});
