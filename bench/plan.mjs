/** Which scenarios are played, how large, by whom, and how their figures are shown. */
import { possible } from "./files.mjs";
import { batches, idle, oneByOne, singles, steady } from "./scenarios.mjs";

/** @typedef {import("./measure.mjs").Peer} Peer */
/** @typedef {{ key: string, label: string, digits: number }} Figure the first of a scenario is the one for the ratio */
/**
 * @typedef {object} Act
 * @property {string} key
 * @property {string} title
 * @property {string} [note] what had to be changed on this machine
 * @property {import("./measure.mjs").Scenario<any>} scenario
 * @property {object} size
 * @property {readonly Peer[]} peers
 * @property {readonly Figure[]} figures
 */

/** @type {Peer} */
export const FANFARE = { name: "Fanfare", server: "fanfare.mjs", wire: "fanfare" };
/** @type {Peer} */
export const WS = { name: "ws, a plain loop", server: "ws.mjs", wire: "plain" };
/** @type {Peer} */
const SOCKET_IO = { name: "Socket.IO", server: "socket.io.mjs", wire: "socketIo" };
/** @type {Peer} */
export const FANFARE_SOCKET_IO = {
  name: "Fanfare's Socket.IO",
  server: "fanfare-socket.io.mjs",
  wire: "subscribedSocketIo",
};
/** @type {Peer} */
const FEATHERS = { name: "Feathers + Socket.IO", server: "feathers.mjs", wire: "socketIo" };
/** @type {Peer} */
const HTTP = { name: "node:http alone", server: "http.mjs", wire: "plain" };
/** @type {Peer} */
const SOCKETS = { name: "Node's sockets alone", server: "sockets.mjs", wire: "plain" };
const PEERS = [FANFARE, WS, FANFARE_SOCKET_IO, SOCKET_IO, FEATHERS];

/** @type {readonly Figure[]} */
const DELIVERIES = [
  { key: "cpu", label: "CPU per delivery, µs", digits: 2 },
  { key: "p50", label: "p50, ms", digits: 1 },
  { key: "p99", label: "p99, ms", digits: 1 },
  { key: "perSecond", label: "deliveries/s", digits: 0 },
  { key: "lost", label: "lost", digits: 0 },
  { key: "doubled", label: "doubled", digits: 0 },
  { key: "late", label: "not there 30 s later", digits: 0 },
];
/** @type {readonly Figure[]} */
const POSTS = [
  { key: "message", label: "CPU per message, µs", digits: 1 },
  { key: "request", label: "CPU per request, µs", digits: 1 },
  { key: "perSecond", label: "messages/s", digits: 0 },
];

/**
 * @param {boolean} quick shorter, with as many connections
 * @param {number} files that a process may have open
 * @returns {readonly Act[]}
 */
export function plan(quick, files) {
  const many = possible(8000, files);
  const note = many < 8000 ? `Only ${many}: a process may not open more files here (ulimit -n).` : undefined;
  const count = many.toLocaleString("en");
  const seconds = quick ? 1 : 3;
  return [
    {
      key: "a",
      title: "500 connections, one message at a time",
      scenario: oneByOne,
      size: { connections: 500, messages: quick ? 100 : 300, everyMs: 8 },
      peers: [...PEERS, SOCKETS],
      // The rate follows from the size, unless a server is slower.
      figures: DELIVERIES.filter(({ key }) => key !== "perSecond"),
    },
    {
      key: "b",
      title: `200 connections, 4,000 messages/s for ${seconds} s`,
      scenario: steady,
      size: { connections: 200, perSecond: 4000, seconds },
      peers: PEERS,
      figures: DELIVERIES,
    },
    {
      key: "c",
      // 80,000 deliveries a second: with many more, the generator has no time to spare.
      title: `${count} connections, 10 messages/s for ${seconds} s`,
      ...(note && { note }),
      scenario: steady,
      size: { connections: many, perSecond: 10, seconds },
      peers: PEERS,
      figures: DELIVERIES,
    },
    {
      key: "d",
      title: `${count} idle connections with one subscription`,
      ...(note && { note }),
      scenario: idle,
      size: { connections: many },
      peers: PEERS,
      figures: [
        { key: "resident", label: "resident memory, KiB each", digits: 1 },
        { key: "heap", label: "heap and buffers after GC, KiB each", digits: 1 },
        { key: "accept", label: "CPU to accept one, µs", digits: 0 },
      ],
    },
    {
      key: "e",
      title: "HTTP, one message per request",
      scenario: singles,
      size: { connections: 16, requests: quick ? 4000 : 20_000, warmUp: 1000 },
      peers: [FANFARE, HTTP, FEATHERS],
      figures: POSTS.slice(0, 1).concat(POSTS.slice(2)),
    },
    {
      key: "f",
      title: "HTTP, 100 messages per request",
      scenario: batches,
      size: { connections: 16, requests: quick ? 300 : 2000, warmUp: 100 },
      peers: [FANFARE, HTTP],
      figures: POSTS,
    },
  ];
}
