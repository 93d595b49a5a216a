/** What a client has to say to each server before it gets messages: just enough of each protocol, in text frames. */

/**
 * @typedef {object} Wire
 * @property {string} path what is asked to be upgraded
 * @property {readonly string[]} hello frames that are sent when the WebSocket is open
 * @property {boolean} readyWhenOpen whether nothing more has to be awaited
 * @property {(text: string) => string | null} answer what is to be sent back for a frame that is no message
 * @property {(text: string) => boolean} saysReady whether messages come after this frame
 */

/** @type {Wire} */
const fanfare = {
  path: "/push",
  hello: ['{"type":"connect"}', '{"type":"subscribe","request":1,"channel":"bench"}'],
  readyWhenOpen: false,
  answer: () => null,
  saysReady: (text) => text.startsWith('{"type":"subscribed"'),
};

/** @type {Wire} */
const plain = {
  path: "/",
  hello: [],
  readyWhenOpen: true,
  answer: () => null,
  saysReady: () => false,
};

/** Engine.IO 4 and Socket.IO 5: `0` opens, `40` joins the main namespace, `2` is a ping and `3` the pong. */
/** @type {Wire} */
const socketIo = {
  path: "/socket.io/?EIO=4&transport=websocket",
  hello: [],
  readyWhenOpen: false,
  answer: (text) => (text.startsWith("0") ? "40" : text === "2" ? "3" : null),
  saysReady: (text) => text.startsWith("40"),
};

/** The same, where the server subscribes each connection to the channel by itself, and says so. */
/** @type {Wire} */
const subscribedSocketIo = { ...socketIo, saysReady: (text) => text.startsWith('42["subscribed"') };

/** @typedef {"fanfare" | "plain" | "socketIo" | "subscribedSocketIo"} WireName */

/** @type {Record<WireName, Wire>} */
export const WIRES = { fanfare, plain, socketIo, subscribedSocketIo };

const TEXT = 0x81;
const PONG = 0x8a;

/** @param {string} text */
export const textFrame = (text) => frame(TEXT, Buffer.from(text));

/** @param {Uint8Array} payload of the ping; at most 125 bytes, as in every control frame */
export const pongFrame = (payload) => frame(PONG, payload);

/**
 * A client's frame, masked with zeros, which changes nothing.
 *
 * @param {number} first
 * @param {Uint8Array} payload less than 126 bytes
 */
function frame(first, payload) {
  return Buffer.concat([Buffer.of(first, 0x80 | payload.length, 0, 0, 0, 0), payload]);
}
