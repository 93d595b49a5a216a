import fc from "fast-check";
import { expect, test } from "vitest";
import { UnfinishedMessage } from "./unfinished-message.js";

interface Frame {
  readonly final: boolean;
  readonly opcode: number;
  readonly length: number;
}

/** As a client writes it, masked; the length may be written longer than it has to be. */
function encode({ final, opcode, length }: Frame): Buffer {
  const short = length < 126 ? length : length < 65_536 ? 126 : 127;
  const head = Buffer.alloc(2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + 4, 0xff);
  head[0] = (final ? 0x80 : 0) | opcode;
  head[1] = 0x80 | short;
  if (short === 126) head.writeUInt16BE(length, 2);
  if (short === 127) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(length, 0xff)]);
}

const control = fc.record({
  final: fc.constant(true),
  opcode: fc.constantFrom(8, 9, 10),
  length: fc.integer({ min: 0, max: 125 }),
});
const lengths = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 65_000, max: 66_000 }));
/** A message in one frame or several, with control frames between them. */
const message = fc
  .tuple(
    fc.constantFrom(1, 2),
    fc.array(fc.tuple(lengths, fc.array(control, { maxLength: 2 })), { minLength: 1, maxLength: 4 }),
  )
  .map(([opcode, parts]) =>
    parts.flatMap(([length, controls], index): Frame[] => [
      { final: index === parts.length - 1, opcode: index === 0 ? opcode : 0, length },
      ...(index === parts.length - 1 ? [] : controls),
    ]),
  );
const story = fc.array(
  fc.oneof(
    message,
    control.map((frame) => [frame]),
  ),
  { minLength: 1, maxLength: 6 },
);

test("what is unfinished takes memory until it has come whole, and then none, however it is cut", () => {
  fc.assert(
    fc.property(story, fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }), (messages, cuts) => {
      const input = new UnfinishedMessage();
      const bytes = Buffer.concat(messages.flat().map(encode));
      /** Where something ends that has come whole. */
      const ends = new Set<number>();
      let end = 0;
      for (const frames of messages) {
        for (const frame of frames) end += encode(frame).length;
        ends.add(end);
      }
      let taken = 0;
      for (let cut = 0; taken < bytes.length; cut++) {
        const next = Math.min(bytes.length, taken + (cuts[cut % cuts.length] ?? 1));
        const held = input.take(bytes.subarray(taken, next));
        taken = next;
        if (ends.has(taken)) expect(held).toBe(0);
        else expect(held).toBeGreaterThan(0);
      }
    }),
  );
});

test("counts the bytes that have come, and what their pieces take", () => {
  const input = new UnfinishedMessage();
  const bytes = encode({ final: true, opcode: 1, length: 60_000 });
  const held = input.take(bytes.subarray(0, 50_008));
  expect(held).toBeGreaterThanOrEqual(50_000);
  expect(held).toBeLessThan(51_000);
  let last = held;
  for (let at = 50_008; at < 50_108; at++) last = input.take(bytes.subarray(at, at + 1));
  expect(last - held).toBeGreaterThan(100 * 100);
  expect(input.take(bytes.subarray(50_108))).toBe(0);
});

test("counts the pieces of a message in tiny frames", () => {
  const input = new UnfinishedMessage();
  const tiny = Buffer.concat(
    Array.from({ length: 1000 }, (_, index) =>
      encode({ final: false, opcode: index === 0 ? 1 : 0, length: 1 }),
    ),
  );
  expect(input.take(tiny)).toBeGreaterThan(1000 * 100);
});
