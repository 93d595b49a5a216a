/** A hub for tests, on a memory engine unless another is given, with a clock that stands still. */
import { type ChannelName, type Position, parseChannelName } from "@fanfare/protocol";
import { type Random, systemRandom } from "../base/clock.js";
import type { Engine } from "../engine/engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { Hub } from "../hub/hub.js";
import { DEFAULT_LIMITS, type Limits } from "../hub/terms/limits.js";
import type { WatchedMemory } from "../hub/terms/memory-guard.js";
import type { RuleOptions } from "../hub/terms/rule-options.js";
import { Rules } from "../hub/terms/rules.js";
import { Locks } from "../locks/locks.js";
import { Sequences } from "../locks/sequences.js";
import { FakeClock, turns } from "./fake-clock.js";
import { FakeSubscriber, type FakeSubscriberOptions } from "./fake-subscriber.js";

export interface HubForTests {
  readonly hub: Hub;
  readonly locks: Locks;
  readonly sequences: Sequences;
  readonly clock: FakeClock;
  readonly engine: Engine;
  open(options?: FakeSubscriberOptions, owner?: string): FakeSubscriber;
  /** Asks for a channel; the answer comes when the event loop turns. */
  subscribe(subscriber: FakeSubscriber, channel: string, since?: Position, request?: number): void;
  /** Appends messages with these data, all in one turn of the event loop. */
  publish(channel: string, ...data: unknown[]): Promise<Position[]>;
  position(channel: string): Promise<Position>;
  /** The node is gone. */
  close(): void;
}

export interface HubOptionsForTests {
  readonly rules?: readonly RuleOptions[];
  readonly limits?: Partial<Limits>;
  readonly clock?: FakeClock;
  readonly engine?: Engine;
  readonly memory?: WatchedMemory;
  readonly memoryChanged?: (full: boolean) => void;
}

export function aHub(options: HubOptionsForTests = {}): HubForTests {
  const { clock = new FakeClock(), limits = {}, rules = [] } = options;
  const random: Random = { bytes: systemRandom.bytes, fraction: () => 0.5 };
  const engine = options.engine ?? new MemoryEngine({ clock, random, allowIsolated: true });
  const hub = new Hub({
    engine,
    clock,
    random,
    rules: new Rules(rules),
    limits: { ...DEFAULT_LIMITS, ...limits },
    ...(options.memory && { memory: options.memory }),
    ...(options.memoryChanged && { memoryChanged: options.memoryChanged }),
  });
  const locks = new Locks(hub);
  return {
    hub,
    locks,
    sequences: new Sequences(hub),
    clock,
    engine,
    open(options, owner) {
      const subscriber = new FakeSubscriber(options);
      subscriber.belongsTo(hub.connections.open(subscriber, owner ?? null));
      return subscriber;
    },
    subscribe(subscriber, channel, since, request = 1) {
      subscriber.connection.subscribe(parseChannelName(channel), { request, since });
    },
    async publish(channel, ...data) {
      const name: ChannelName = parseChannelName(channel);
      const positions = await Promise.all(data.map((each) => hub.publish(name, { data: each })));
      return positions.map(({ epoch, offset }) => ({ epoch, offset }));
    },
    position: (channel) => hub.position(parseChannelName(channel)),
    close() {
      locks.close();
      hub.close();
    },
  };
}

/** Lets the event loop turn until it is so, but not for ever. */
export async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !isSo(); turn++) await turns();
  if (!isSo()) throw new Error(`it did not come to be: ${isSo}`);
}
