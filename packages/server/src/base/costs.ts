/**
 * The heap that each thing takes in this process, in bytes, without its texts. Measured on 64-bit Node by
 * `bench/memory.mjs`, which prints them beside what is counted; docs/memory.md has the table.
 */
export const COSTS = {
  /** An entry of a log in memory: its object, and its places in two arrays. */
  message: 130,
  /** A text of its own, beside its characters. */
  text: 24,
  /** A channel of the memory engine: its record and its log, without messages. */
  channel: 700,
  /** A channel's state, in the memory engine. */
  state: 110,
  /** An idempotency key, with what it was used for. */
  idempotencyKey: 470,
  /** A session, with whose it is. */
  session: 345,
  /** A value of a space in memory, beside the characters of it and its key. */
  spaceValue: 120,
  /** A forgotten channel whose position is remembered. */
  stub: 250,
  /** An owner who has some of these three, or a log. */
  owner: 130,
  /** A channel that this node listens to: its tail, its window and its lists, without entries. It has messages or not: halfway between. */
  listenedChannel: 1950,
  /** An entry of a window, and its frame. */
  windowEntry: 330,
  /** A WebSocket: the client's connection, with the objects of its socket and its door. */
  connection: 3000,
  subscription: 160,
  /** A member who is present on a channel. */
  member: 1050,
} as const;
