/** The part of a hub that locks and sequences need: states that are changed by compare-and-set. The hub knows neither. */
import type { ChannelName } from "@fanfare/protocol";
import type { Clock } from "../base/clock.js";
import type { Failures } from "../base/failures.js";
import type { Appended, ChannelState, Engine, IdempotencyKey } from "../engine/engine.js";
import type { Next } from "../hub/state-changes.js";
import type { Counters } from "../hub/terms/counters.js";
import type { Limits } from "../hub/terms/limits.js";
import type { Permit } from "../hub/terms/permit.js";

export interface RecordsHost {
  readonly engine: Pick<Engine, "durable" | "logs">;
  readonly clock: Clock;
  readonly failures: Failures;
  readonly counters: Counters;
  readonly limits: Limits;
  state(channel: ChannelName): Promise<ChannelState | null>;
  updateState(
    channel: ChannelName,
    next: (present: ChannelState | null, time: number) => Next | null,
    idempotency?: IdempotencyKey,
  ): Promise<Appended | null>;
  remove(channel: ChannelName, permit?: Permit): Promise<boolean>;
}
