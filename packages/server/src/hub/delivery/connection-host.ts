import type { ChannelName } from "@fanfare/protocol";
import type { Limits } from "../terms/limits.js";
import type { ListeningShares } from "../terms/listening.js";
import type { MemoryGuard } from "../terms/memory-guard.js";
import type { WaitingBudget } from "./budgets.js";
import type { Channel } from "./channel.js";
import type { Connection } from "./connection.js";
import type { RingHost } from "./lag-ring.js";
import type { Scheduler } from "./scheduler.js";
import type { Attending } from "./subscription.js";

/** The parts of the hub that a connection needs. */
export interface ConnectionHost extends RingHost {
  readonly presence: Attending;
  readonly limits: Limits;
  readonly listening: ListeningShares;
  readonly memory: MemoryGuard;
  readonly scheduler: Scheduler;
  readonly waiting: WaitingBudget;
  readonly channels: {
    /** The channel, listened to or about to be. @throws FanfareError `too_many_channels`, `unavailable` */
    get(name: ChannelName): Channel;
  };
  readonly connections: {
    left(connection: Connection): void;
  };
}
