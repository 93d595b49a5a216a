/** The limits as figures: what each of them bounds, and how much of it is used. */
import type { Hub } from "../hub/hub.js";
import type { Limits } from "../hub/limits.js";
import type { Reading } from "./scrape.js";

export interface Bound {
  /** Prefixed with `fanfare_`; the limit adds `_limit`. */
  readonly name: string;
  readonly help: string;
  /** How much of it is used; left out where there is no such figure. */
  readonly used?: (reading: Reading, hub: Hub) => number | undefined;
}

/** A limit that is not here does not compile. */
export const BOUNDS: Readonly<Record<keyof Limits, Bound>> = {
  connections: { name: "connections", help: "Connections that are open", used: ({ hub }) => hub.connections },
  channels: {
    name: "channels",
    help: "Channels that have a log, a listener or both",
    used: ({ engine, hub }) => engine.channels ?? hub.channels,
  },
  subscriptionsPerConnection: {
    name: "subscriptions_per_connection",
    help: "The most subscriptions that one connection has",
    used: ({ mostSubscriptions }) => mostSubscriptions,
  },
  locksPerConnection: {
    name: "locks_per_connection",
    help: "The most locks that one session holds",
    used: (_, { locks }) => locks.mostOfASession,
  },
  messageBytes: {
    name: "message_bytes",
    help: "Bytes of the largest message published through this process",
    used: (_, { counters }) => counters.largestMessage,
  },
  stateBytes: {
    name: "state_bytes",
    help: "Bytes of the largest state set through this process",
    used: (_, { counters }) => counters.largestState,
  },
  historyBytes: {
    name: "history_bytes",
    help: "Bytes that all logs take together, roughly, and in memory all states",
    used: ({ engine }) => engine.bytes,
  },
  windowBytes: {
    name: "window_bytes",
    help: "Bytes that the process keeps ready of the logs and states it listens to",
    used: ({ hub }) => hub.windowBytes,
  },
  waitingBytes: {
    name: "waiting_bytes",
    help: "Bytes that wait for connections that take nothing at the moment",
    used: ({ hub }) => hub.waitingBytes,
  },
  idempotencyKeys: {
    name: "idempotency_keys",
    help: "Idempotency keys that are remembered",
    used: ({ engine }) => engine.idempotencyKeys,
  },
  stubs: {
    name: "stubs",
    help: "Forgotten channels whose position is remembered",
    used: ({ engine }) => engine.stubs,
  },
  presenceMembers: {
    name: "presence_members",
    help: "Members that are present on all channels together, of all nodes",
    used: ({ hub }) => hub.presenceMembers,
  },
  sessionSeconds: { name: "session_seconds", help: "Seconds for which a session can be resumed" },
};
