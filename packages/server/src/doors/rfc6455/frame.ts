/** WebSocket frames (RFC 6455, section 5) as a server writes them: unmasked, whole, not compressed. */

const TEXT = 0x81;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;

/** An empty ping. */
export const PING_FRAME: Uint8Array = Uint8Array.of(PING, 0);

/** A text frame that holds this text. */
export function textFrame(text: string): Uint8Array {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  // Not from the pool: frames live on in the channels' windows, and a small one would keep a pool of 8 KiB alive.
  const frame = Buffer.allocUnsafeSlow(header + length);
  frame[0] = TEXT;
  if (header === 2) {
    frame[1] = length;
  } else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, header);
  return frame;
}

/** The answer to a ping with this payload, at most 125 bytes. */
export function pongFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + payload.length);
  frame[0] = PONG;
  frame[1] = payload.length;
  frame.set(payload, 2);
  return frame;
}

/** A close frame; `null` says no code. The reason is cut to what a close frame can hold. */
export function closeFrame(code: number | null, reason: string): Uint8Array {
  if (code === null) return Uint8Array.of(CLOSE, 0);
  const text = Buffer.from(cut(reason));
  const frame = Buffer.alloc(4 + text.length);
  frame[0] = CLOSE;
  frame[1] = 2 + text.length;
  frame.writeUInt16BE(code, 2);
  frame.set(text, 4);
  return frame;
}

/** A close reason has at most 123 bytes. */
function cut(reason: string): string {
  if (Buffer.byteLength(reason) <= 123) return reason;
  let end = 120;
  while (Buffer.byteLength(reason.slice(0, end)) > 120) end--;
  return `${reason.slice(0, end)}…`;
}
