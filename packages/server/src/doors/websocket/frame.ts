/** WebSocket frames (RFC 6455, section 5) as a server writes them: unmasked, whole, not compressed. */

const TEXT = 0x81;
const PING = 0x89;

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
