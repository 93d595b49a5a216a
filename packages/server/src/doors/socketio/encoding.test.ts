import fc from "fast-check";
import { expect, test } from "vitest";
import { ackFrame, eventFrame, NO_ANSWER, polledText } from "./encoding.js";

const SEPARATOR = "\x1e";

test("what is polled is what the frames hold, whatever their number and length", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary", maxLength: 400 }), { minLength: 1, maxLength: 5 }),
      (texts) => {
        const frames = texts.map((text) => eventFrame("said", JSON.stringify(text.repeat(3))));
        const packets = `4${polledText(Buffer.concat(frames))}`.split(SEPARATOR);
        const said = packets.map((packet) => JSON.parse(packet.replace(/^42/, "")) as [string, string]);
        // A half of a surrogate pair is no character of UTF-8; JSON spells it.
        expect(said).toEqual(texts.map((text) => ["said", text.repeat(3)]));
      },
    ),
  );
});

test.each([125, 126, 65_535, 65_536, 200_000])(
  "a packet of %d bytes is taken out of its frame whole",
  (length) => {
    const data = "x".repeat(length - '42["said",""]'.length);
    expect(polledText(eventFrame("said", JSON.stringify(data)))).toBe(`2["said","${data}"]`);
  },
);

test("who wants no answer gets none", () => {
  expect(ackFrame(NO_ANSWER, "{}")).toHaveLength(0);
  expect(polledText(ackFrame(7, "null", "{}"))).toBe("37[null,{}]");
});
