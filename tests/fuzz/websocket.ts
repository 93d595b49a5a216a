/** Frames of `fanfare.v1`, right, nearly right and wrong, down to the bytes of RFC 6455. */
import fc from "fast-check";
import { clientFrame, upgradeRequest } from "../doors/raw-client.js";
import { exchange } from "./exchange.js";
import type { Fuzzer } from "./fuzzer.js";
import { cuts, json, members, pieces } from "./values.js";

const OPCODES = [0, 1, 1, 1, 1, 2, 3, 8, 9, 10, 15];

const frame = fc.oneof(
  { weight: 6, arbitrary: json.map((text) => clientFrame(1, text)) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...OPCODES), fc.uint8Array({ maxLength: 140 }), fc.boolean(), fc.boolean())
      .map(([opcode, payload, mask, fin]) => clientFrame(opcode, Buffer.from(payload), { mask, fin })),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)) },
  // A length that is never kept.
  { weight: 1, arbitrary: fc.constant(Buffer.from([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255])) },
);

const connect = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ type: "connect" }) },
  { weight: 1, arbitrary: members.map((more) => ({ ...more, type: "connect" })) },
);

export const webSocketFrames: Fuzzer<{
  readonly first: object;
  readonly frames: readonly Buffer[];
  readonly cut: readonly number[];
  readonly leaves: boolean;
}> = {
  name: "WebSocket frames",
  cases: fc.record({
    first: connect,
    frames: fc.array(frame, { maxLength: 8 }),
    cut: cuts,
    leaves: fc.boolean(),
  }),
  async send({ port }, { first, frames, cut, leaves }) {
    const bytes = Buffer.concat([
      Buffer.from(upgradeRequest(port)),
      clientFrame(1, JSON.stringify(first)),
      ...frames,
      clientFrame(8, Buffer.from([1000 >> 8, 1000 & 255])),
    ]);
    await exchange({ port, pieces: pieces(bytes, cut), leaves });
  },
};
