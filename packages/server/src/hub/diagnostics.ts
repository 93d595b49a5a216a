/** How connections and channels stand on this node, for people who look after it. Nothing here is asked on the hot path. */
import type { ChannelName } from "@fanfare/protocol";
import type { Connection } from "./delivery/connection.js";
import type { Subscription, SubscriptionState } from "./delivery/subscription.js";

export interface ConnectionDiagnostics {
  readonly connection: string;
  /** The door that it came through. */
  readonly door: string;
  /** When it came in: milliseconds since 1970. */
  readonly since: number;
  readonly subscriptions: number;
  /** How many of them are behind. */
  readonly lagging: number;
  /** Bytes that were written and have not left the process. */
  readonly waitingBytes: number;
  /** Does it take nothing at the moment? */
  readonly full: boolean;
  /** How many messages that subscription is behind which is furthest behind. */
  readonly furthestBehind: number;
}

export interface SubscriptionDiagnostics {
  readonly channel: ChannelName;
  readonly state: Exclude<SubscriptionState, "left">;
  /** How many messages it has not been written yet. */
  readonly behind: number;
}

export function connectionDiagnostics(connection: Connection): ConnectionDiagnostics {
  const { id, since, subscriptions, subscriber, sink, full } = connection;
  let lagging = 0;
  let furthestBehind = 0;
  for (const subscription of subscriptions.values()) {
    if (subscription.state !== "lagging") continue;
    lagging++;
    furthestBehind = Math.max(furthestBehind, behind(subscription));
  }
  const { door } = subscriber;
  const { waitingBytes } = sink;
  return {
    connection: id,
    door,
    since,
    subscriptions: subscriptions.size,
    lagging,
    waitingBytes,
    full,
    furthestBehind,
  };
}

/** By the names of the channels. */
export function subscriptionDiagnostics({ subscriptions }: Connection): SubscriptionDiagnostics[] {
  const diagnostics: SubscriptionDiagnostics[] = [];
  for (const subscription of subscriptions.values()) {
    const { channel, state } = subscription;
    if (state !== "left") diagnostics.push({ channel: channel.name, state, behind: behind(subscription) });
  }
  return diagnostics.sort((a, b) => (a.channel < b.channel ? -1 : 1));
}

/** A cursor in an earlier epoch has all of the new log before it. */
function behind({ state, cursor, channel }: Subscription): number {
  const window = channel.tail?.window;
  if (!window || !cursor || state === "live") return 0;
  return Math.max(0, cursor.epoch === window.epoch ? window.head - cursor.offset : window.head);
}
