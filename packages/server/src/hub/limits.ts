/** The bounds of one process, with their defaults. */
export interface Limits {
  /** Connections of all doors together. @default 50,000 */
  readonly connections: number;
  /** Channels that have a log, a listener or both. @default 1,000,000 */
  readonly channels: number;
  /** @default 1,000 */
  readonly subscriptionsPerConnection: number;
  /** Locks that one session holds. @default 100 */
  readonly locksPerConnection: number;
  /** Bytes of `data` as JSON in UTF-8. @default 65,536 */
  readonly messageBytes: number;
  /** Bytes of a channel's state, and of a patch, as JSON in UTF-8. @default 65,536 */
  readonly stateBytes: number;
  /** Bytes of all logs together, in memory or on the disk; in memory those of all states count, too. @default 256 MiB */
  readonly historyBytes: number;
  /** Bytes of what the process keeps ready of the logs and states it listens to; states stay, and logs make room. @default 64 MiB */
  readonly windowBytes: number;
  /** Bytes that wait in all connections together; beyond that the worst are closed. @default 256 MiB */
  readonly waitingBytes: number;
  /** Idempotency keys that are remembered. @default 100,000 */
  readonly idempotencyKeys: number;
  /** Forgotten channels whose position is remembered. @default 100,000 */
  readonly stubs: number;
  /** Seconds for which a session can be resumed. @default 60 */
  readonly sessionSeconds: number;
  /** Members that are present on all channels together, of all nodes. @default 250,000 */
  readonly presenceMembers: number;
}

const MiB = 1024 * 1024;

export const DEFAULT_LIMITS: Limits = {
  connections: 50_000,
  channels: 1_000_000,
  subscriptionsPerConnection: 1000,
  locksPerConnection: 100,
  messageBytes: 65_536,
  stateBytes: 65_536,
  historyBytes: 256 * MiB,
  windowBytes: 64 * MiB,
  waitingBytes: 256 * MiB,
  idempotencyKeys: 100_000,
  stubs: 100_000,
  sessionSeconds: 60,
  presenceMembers: 250_000,
};
