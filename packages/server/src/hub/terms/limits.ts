/** The bounds of one process: each is declared here once, with its default, its least value and its text. */
import { z } from "zod";
import { described } from "../../base/option.js";
import { DEFAULT_SHARE } from "../../engine/shares.js";

const MiB = 1024 * 1024;

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
const options = {
  /** Connections of all clients together; further ones are refused. @default 50,000 */
  connections: limit(50_000, 1, "Connections of all clients together; further ones are refused."),
  /** Channels that have a log, a listener or both. @default 1,000,000 */
  channels: limit(1_000_000, 1, "Channels that have a log, a listener or both."),
  /** Channels of one user, or of one address without a user: an owner has those that it made, until they are removed or forgotten. API keys are not bounded. @default 10,000 */
  channelsPerOwner: limit(
    DEFAULT_SHARE.channels,
    0,
    "Channels of one user, or of one address without a user: an owner has those that it made, until they are removed or forgotten. API keys are not bounded.",
  ),
  /** States of one owner: those that it brought into being. @default 10,000 */
  statesPerOwner: limit(DEFAULT_SHARE.states, 0, "States of one owner: those that it brought into being."),
  /** Bytes of all states of one owner. @default 16,777,216, or less where there is little memory */
  stateBytesPerOwner: limit(DEFAULT_SHARE.stateBytes, 0, "Bytes of all states of one owner.", {
    unit: "bytes",
    fromMemory: true,
  }),
  /** Sequences of one owner. @default 1,000 */
  sequencesPerOwner: limit(DEFAULT_SHARE.sequences, 0, "Sequences of one owner."),
  /** Locks of one owner, with those that it made and that have been free for less than a day. @default 10,000 */
  locksPerOwner: limit(
    DEFAULT_SHARE.locks,
    0,
    "Locks of one owner, with those that it made and that have been free for less than a day.",
  ),
  /** Connections of one user, or of one address without a user, on all doors together. API keys, and anonymous callers on this machine, are not bounded. @default 2,000 */
  connectionsPerOwner: limit(
    2000,
    1,
    "Connections of one user, or of one address without a user, on all doors together. API keys, and anonymous callers on this machine, are not bounded.",
  ),
  /** Subscriptions that all connections of one owner have together. @default 20,000, or less where there is little memory */
  subscriptionsPerOwner: limit(20_000, 0, "Subscriptions that all connections of one owner have together.", {
    fromMemory: true,
  }),
  /** Subscriptions of one connection. @default 1,000 */
  subscriptionsPerConnection: limit(1000, 1, "Subscriptions of one connection."),
  /** Locks that one connection holds, those of the session that it goes on with included. @default 100 */
  locksPerConnection: limit(
    100,
    0,
    "Locks that one connection holds, those of the session that it goes on with included.",
  ),
  /** Size of the data of one message, as JSON. @default 65,536 */
  messageBytes: limit(65_536, 1, "Size of the data of one message, as JSON.", { unit: "bytes" }),
  /** The largest state of a channel, and the largest patch: its size as JSON in UTF-8. @default 65,536 */
  stateBytes: limit(
    65_536,
    1,
    "The largest state of a channel, and the largest patch: its size as JSON in UTF-8.",
    { unit: "bytes" },
  ),
  /** Room for all logs together, in memory or on the disk. @default 268,435,456, or less where there is little memory */
  historyBytes: limit(256 * MiB, 0, "Room for all logs together, in memory or on the disk.", {
    unit: "bytes",
    fromMemory: true,
  }),
  /** Memory for what is kept ready of the logs and states that are listened to. States stay as long as they are; logs make room. @default 67,108,864, or less where there is little memory */
  windowBytes: limit(
    64 * MiB,
    0,
    "Memory for what is kept ready of the logs and states that are listened to. States stay as long as they are; logs make room.",
    { unit: "bytes", fromMemory: true },
  ),
  /** Memory for what waits for all clients together, in connections and in answers over HTTP; beyond that the slowest are closed. @default 268,435,456, or less where there is little memory */
  waitingBytes: limit(
    256 * MiB,
    0,
    "Memory for what waits for all clients together, in connections and in answers over HTTP; beyond that the slowest are closed.",
    { unit: "bytes", fromMemory: true },
  ),
  /** Memory for all bodies of HTTP requests, and messages of WebSockets, that have not come whole; a quarter of it for one address. Further ones are refused. @default 67,108,864, or less where there is little memory */
  bodyBytes: limit(
    64 * MiB,
    0,
    "Memory for all bodies of HTTP requests, and messages of WebSockets, that have not come whole; a quarter of it for one address. Further ones are refused.",
    { unit: "bytes", fromMemory: true },
  ),
  /** Idempotency keys that are remembered. One user or address has a quarter at most, and loses their own oldest. @default 100,000, or less where there is little memory */
  idempotencyKeys: limit(
    100_000,
    0,
    "Idempotency keys that are remembered. One user or address has a quarter at most, and loses their own oldest.",
    { fromMemory: true },
  ),
  /** Sessions that are kept, of connections that live or may be resumed. One user or address has a quarter at most. @default 100,000, or less where there is little memory */
  sessions: limit(
    100_000,
    0,
    "Sessions that are kept, of connections that live or may be resumed. One user or address has a quarter at most.",
    { fromMemory: true },
  ),
  /** Forgotten channels whose position is remembered. One user or address has a quarter at most. @default 100,000, or less where there is little memory */
  stubs: limit(
    100_000,
    0,
    "Forgotten channels whose position is remembered. One user or address has a quarter at most.",
    { fromMemory: true },
  ),
  /** For how long a client that was cut off can resume its session. @default 60 */
  sessionSeconds: limit(60, 0, "For how long a client that was cut off can resume its session.", {
    unit: "seconds",
  }),
  /** Members that are present on all channels together, of all nodes; the server does not show further ones. @default 250,000 */
  presenceMembers: limit(
    250_000,
    0,
    "Members that are present on all channels together, of all nodes; the server does not show further ones.",
  ),
};

export const LIMITS = z.strictObject(options);

export type Limits = { readonly [Name in keyof typeof options]: number };

/** Where there is memory enough; see `memory-plan.ts`. */
export const DEFAULT_LIMITS: Limits = LIMITS.parse({});

function limit(
  value: number,
  least: number,
  text: string,
  more: { readonly unit?: string; readonly fromMemory?: true } = {},
) {
  return described(z.int().min(least).default(value), {
    text,
    allowed: `a whole number from ${least} up`,
    ...more,
  });
}
