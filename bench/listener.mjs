/**
 * One WebSocket connection of the load generator: raw TCP, and a scanner that looks at the heads of frames and at the
 * stamps in them. All connections read into one buffer; a connection keeps bytes only where a frame came in parts.
 */
import { connect } from "node:net";
import { isStamp, microseconds, STAMP_LENGTH, sequenceOf, timeOf } from "./stamp.mjs";
import { pongFrame, textFrame } from "./wire.mjs";

const SHARED = Buffer.allocUnsafeSlow(256 * 1024);
/** So many connections can be made from one address before ports run out. */
const PORTS = 20_000;

const TEXT = 0x81;
const PING = 0x89;
const CLOSE = 0x88;
const AT = "@".charCodeAt(0);

/** How far before the end of a message its stamp begins: the same for all messages of a server. */
let stampBeforeEnd = 0;

/**
 * @param {object} options
 * @param {number} options.number of this connection, from 0
 * @param {number} options.port
 * @param {import("./wire.mjs").Wire} options.wire
 * @param {import("./tally.mjs").Tally} options.tally
 * @param {() => void} options.ready called once, when messages will come
 * @param {(why: string) => void} options.ended called when the connection ends
 */
export function listen({ number, port, wire, tally, ready, ended }) {
  /** @type {Buffer | null} */
  let rest = null;
  let isOpen = false;

  const socket = connect({
    port,
    host: "127.0.0.1",
    ...(number < PORTS ? {} : { localAddress: `127.0.0.${1 + Math.floor(number / PORTS)}` }),
    noDelay: true,
    onread: {
      buffer: SHARED,
      callback(count) {
        hear(SHARED, count);
        return true;
      },
    },
  });
  socket.on("connect", () =>
    socket.write(
      `GET ${wire.path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ),
  );
  socket.on("error", (error) => ended(error.message));
  socket.on("end", () => ended("the server closed a connection"));

  /** @param {Buffer} buffer @param {number} count */
  function hear(buffer, count) {
    let bytes = buffer;
    let length = count;
    if (rest !== null) {
      bytes = Buffer.concat([rest, buffer.subarray(0, count)]);
      length = bytes.length;
      rest = null;
    }
    const used = isOpen ? scan(bytes, 0, length) : open(bytes.subarray(0, length));
    if (used < length) rest = Buffer.from(bytes.subarray(used, length));
  }

  /** @param {Buffer} bytes */
  function open(bytes) {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    const head = bytes.toString("latin1", 0, end);
    if (!head.startsWith("HTTP/1.1 101 ")) ended(`the upgrade was answered by ${head.split("\r\n")[0]}`);
    isOpen = true;
    if (wire.hello.length > 0) socket.write(Buffer.concat(wire.hello.map(textFrame)));
    if (wire.readyWhenOpen) ready();
    return scan(bytes, end + 4, bytes.length);
  }

  /**
   * Takes all whole frames, and says where it stopped.
   *
   * @param {Buffer} bytes
   * @param {number} from
   * @param {number} length
   */
  function scan(bytes, from, length) {
    const now = microseconds();
    let at = from;
    while (length - at >= 2) {
      let size = bytes[at + 1] ?? 0;
      let start = at + 2;
      if (size === 126) {
        if (length - at < 4) break;
        size = bytes.readUInt16BE(at + 2);
        start = at + 4;
      } else if (size === 127) {
        if (length - at < 10) break;
        size = Number(bytes.readBigUInt64BE(at + 2));
        start = at + 10;
      }
      const end = start + size;
      if (end > length) break;
      const stamp = end - stampBeforeEnd;
      if (stamp > start && isStamp(bytes, stamp)) {
        tally.add(number, sequenceOf(bytes, stamp), now - timeOf(bytes, stamp));
      } else {
        takeOther(bytes[at] ?? 0, bytes.subarray(start, end), now);
      }
      at = end;
    }
    return at;
  }

  /** @param {number} first @param {Buffer} payload @param {number} now */
  function takeOther(first, payload, now) {
    if (first === PING) socket.write(pongFrame(payload));
    else if (first === CLOSE) ended("the server closed a connection");
    if (first !== TEXT) return;
    const stamp = payload.indexOf(AT);
    if (stamp >= 0 && stamp + STAMP_LENGTH <= payload.length && isStamp(payload, stamp)) {
      stampBeforeEnd = payload.length - stamp;
      tally.add(number, sequenceOf(payload, stamp), now - timeOf(payload, stamp));
      return;
    }
    const text = payload.toString();
    const answer = wire.answer(text);
    if (answer !== null) socket.write(textFrame(answer));
    if (wire.saysReady(text)) ready();
  }
}
