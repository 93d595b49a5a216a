import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Incoming } from "./incoming.js";

const MAX_PAYLOAD = 70_000;

/** What came out, in order. */
type Event = readonly [kind: string, what: string | number];
const EMPTY_PING: Event = ["ping", ""];

interface ClientFrame {
  readonly final: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

describe("what a client sends", () => {
  test("comes out the same, however it is cut into reads", () => {
    fc.assert(
      fc.property(fc.array(aMessage, { maxLength: 8 }), fc.array(fc.nat()), (messages, cuts) => {
        const bytes = Buffer.concat(messages.flatMap(({ frames }) => frames.map(encode)));
        expect(read(slices(bytes, cuts))).toEqual(messages.flatMap(({ events }) => events));
      }),
    );
  });

  test("nothing after a close frame counts", () => {
    const close = frame(8, Buffer.from([3, 232]));
    expect(read([Buffer.concat([close, frame(1, Buffer.from("late"))].map(encode))])).toEqual([
      ["close", 1000],
    ]);
    expect(read([Buffer.concat([frame(8), frame(1)].map(encode))])).toEqual([["close", 1005]]);
  });

  test.each([
    ["invalid UTF-8", encode(frame(1, Buffer.from([0xc3, 0x28]))), 1007],
    [
      "invalid UTF-8 in two fragments",
      Buffer.concat([
        encode({ final: false, opcode: 1, payload: Buffer.from([0xc3]) }),
        encode(frame(0, Buffer.from([0x28]))),
      ]),
      1007,
    ],
    ["a frame without a mask", Buffer.from([0x81, 1, 65]), 1002],
    ["a reserved bit", Buffer.from([0xc1, 0x81, 0, 0, 0, 0, 65]), 1002],
    ["an unknown kind of frame", encode(frame(3)), 1002],
    ["a continuation of nothing", encode(frame(0)), 1002],
    ["a ping of 126 bytes", encode(frame(9, Buffer.alloc(126))), 1002],
    ["a close code that means nothing", encode(frame(8, Buffer.from([0, 1]))), 1002],
    ["more than is allowed", encode(frame(1, Buffer.alloc(MAX_PAYLOAD + 1, 65))), 1009],
    ["a length beyond all", Buffer.from([0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255]), 1009],
  ])("%s is told with its code, and ends it", async (_, bytes, code) => {
    const events: Event[] = [];
    const failed = new Promise<number>((done) => {
      const incoming = listening(events, (_error, said) => done(said));
      incoming.take(Buffer.concat([encode(frame(1, Buffer.from("before"))), bytes]));
      incoming.take(encode(frame(1, Buffer.from("after"))));
    });
    expect(await failed).toBe(code);
    expect(events).toEqual([["text", "before"]]);
  });
});

function read(chunks: readonly Buffer[]): Event[] {
  const events: Event[] = [];
  const incoming = listening(events, (error) => {
    throw error;
  });
  for (const chunk of chunks) incoming.take(chunk);
  return events;
}

function listening(events: Event[], invalid: (error: Error, code: number) => void): Incoming {
  return new Incoming(
    {
      text: (data) => events.push(["text", data.toString()]),
      binary: () => events.push(["binary", ""]),
      pinged: (payload) => events.push(["ping", payload.toString("hex")]),
      closeFrame: (code) => events.push(["close", code]),
      invalid,
      unfinished() {},
      failedInside: (error) => invalid(error as Error, 0),
    },
    MAX_PAYLOAD,
  );
}

function frame(opcode: number, payload: Buffer = Buffer.alloc(0)): ClientFrame {
  return { final: true, opcode, payload };
}

/** As a client writes it: masked. */
function encode({ final, opcode, payload }: ClientFrame): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = (final ? 0x80 : 0) | opcode;
  header[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  const mask = Buffer.from([0x12, 0x34, 0xab, length & 255]);
  return Buffer.concat([header, mask, payload.map((byte, at) => byte ^ (mask[at % 4] as number))]);
}

function slices(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  // Each read of a socket has memory of its own.
  return [...at, bytes.length].map((end, index) => Buffer.from(bytes.subarray(at[index - 1] ?? 0, end)));
}

const aText = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(125, 126, 65_535, 65_536).map((length) => "x".repeat(length)),
);

const aMessage = fc.oneof(
  aText.map((text) => ({
    frames: [frame(1, Buffer.from(text))],
    events: [["text", text]] as Event[],
  })),
  // In fragments, with a ping in between.
  fc.tuple(aText, fc.nat(), fc.boolean()).map(([text, cut, pinged]) => {
    const payload = Buffer.from(text);
    const at = cut % (payload.length + 1);
    return {
      frames: [
        { final: false, opcode: 1, payload: payload.subarray(0, at) },
        ...(pinged ? [frame(9)] : []),
        frame(0, payload.subarray(at)),
      ],
      events: [...(pinged ? [EMPTY_PING] : []), ["text", text] as const],
    };
  }),
  fc.uint8Array({ maxLength: 125 }).map((payload) => ({
    frames: [frame(9, Buffer.from(payload)), frame(10, Buffer.from(payload))],
    events: [["ping", Buffer.from(payload).toString("hex")]] as Event[],
  })),
  fc.constant({ frames: [frame(2, Buffer.from([1]))], events: [["binary", ""]] as Event[] }),
);
