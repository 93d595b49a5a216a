/** The limits as figures: what each of them bounds, and how much of it is used. */
import type { Refusals } from "../access/rates/refusals.js";
import type { Hub } from "../hub/hub.js";
import type { Limits } from "../hub/terms/limits.js";
import type { Locks } from "../locks/locks.js";
import type { Arriving } from "../wire/arriving.js";
import type { Reading } from "./scrape.js";

/** The sources of the figures. */
export interface Sources {
  readonly hub: Hub;
  readonly locks: Locks;
  readonly arriving: Arriving;
  readonly refusals: Refusals;
}

export interface Bound {
  /** Prefixed with `fanfare_`; the limit adds `_limit`. */
  readonly name: string;
  readonly help: string;
  /** How much of it is used; left out where there is no such figure. */
  readonly used?: (reading: Reading, sources: Sources) => number | undefined;
}

/** A limit that is not here does not compile. */
export const BOUNDS: Readonly<Record<keyof Limits, Bound>> = {
  connections: { name: "connections", help: "Connections that are open", used: ({ hub }) => hub.connections },
  channels: {
    name: "channels",
    help: "Channels that have a log, a listener or both",
    used: ({ engine, hub }) => engine.channels ?? hub.channels,
  },
  channelsPerOwner: {
    name: "channels_per_owner",
    help: "The most channels that one user or address has made since the process began",
    used: ({ engine }) => engine.mostOwned?.channels,
  },
  statesPerOwner: {
    name: "states_per_owner",
    help: "The most states that one user or address has had since the process began",
    used: ({ engine }) => engine.mostOwned?.states,
  },
  stateBytesPerOwner: {
    name: "state_bytes_per_owner",
    help: "The most bytes of states that one user or address has had since the process began",
    used: ({ engine }) => engine.mostOwned?.stateBytes,
  },
  sequencesPerOwner: {
    name: "sequences_per_owner",
    help: "The most sequences that one user or address has made since the process began",
    used: ({ engine }) => engine.mostOwned?.sequences,
  },
  locksPerOwner: {
    name: "locks_per_owner",
    help: "The most locks that one user or address has had since the process began",
    used: ({ engine }) => engine.mostOwned?.locks,
  },
  connectionsPerOwner: {
    name: "connections_per_owner",
    help: "The most connections that one user or address has had since the process began",
    used: (_, { hub: { listening } }) => listening.most.connections,
  },
  subscriptionsPerOwner: {
    name: "subscriptions_per_owner",
    help: "The most subscriptions that one user or address has had since the process began",
    used: (_, { hub: { listening } }) => listening.most.subscriptions,
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
    used: (_, { hub: { counters } }) => counters.largestMessage,
  },
  stateBytes: {
    name: "state_bytes",
    help: "Bytes of the largest state set through this process",
    used: (_, { hub: { counters } }) => counters.largestState,
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
    help: "Bytes that wait for clients that take nothing at the moment, answers over HTTP included",
    used: ({ hub }) => hub.waitingBytes,
  },
  bodyBytes: {
    name: "body_bytes",
    help: "Bytes of bodies of HTTP requests, and messages of WebSockets, that have not come whole",
    used: (_, { arriving }) => arriving.bytes,
  },
  idempotencyKeys: {
    name: "idempotency_keys",
    help: "Idempotency keys that are remembered",
    used: ({ engine }) => engine.idempotencyKeys,
  },
  sessions: {
    name: "sessions",
    help: "Sessions that are kept, of connections that live or may resume",
    used: ({ engine }) => engine.sessions,
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
