/**
 * Tells after each outage what became of the messages that were published meanwhile. Has a handler of its own on every
 * channel of this page, beside those of the demos: each handler gets every message once.
 */
import type { Gap, Subscription } from "@fanfare/client";
import { history } from "./calls";
import { CHANNELS, client, isCut } from "./fanfare";
import { createStore } from "./store";
import { traffic } from "./traffic";

export interface Recovery {
  readonly outageMs: number;
  /** This window was cut off by its own switch. */
  readonly wasCut: boolean;
  /** How many messages came meanwhile, and are here now. */
  readonly came: number;
  /** The missing messages, and why. */
  readonly gaps: readonly Gap[];
}

/** The facts about one channel since the connection went. */
interface Caught {
  readonly offsets: number[];
  readonly gaps: Gap[];
  /** The newest offset when this window was back; `null` until that is known. */
  head: number | null;
}

interface Outage {
  readonly since: number;
  wasCut: boolean;
  /** When the connection was back; `null` until then. */
  until: number | null;
  readonly channels: ReadonlyMap<string, Caught>;
}

/** The last outage that is over; `null` when there was none. */
export const recovery = createStore<Recovery | null>(null);

const names = Object.values(CHANNELS);
const subscriptions = new Map<string, Subscription>();
let outage: Outage | null = null;

client.on("connection", ({ status }) => {
  if (status === "connected") {
    if (outage) outage.until = Date.now();
  } else if (outage) {
    lost(outage);
  } else if ([...subscriptions.values()].some(({ position }) => position !== null)) {
    outage = begin();
  }
});

for (const channel of names) {
  const subscription = client.subscribe(
    channel,
    ({ offset }) => {
      traffic.heard();
      outage?.channels.get(channel)?.offsets.push(offset);
      finish();
    },
    {
      onSubscribed: () => void findHead(channel),
      onState: ({ patch }) => {
        if (patch) traffic.heard();
        finish();
      },
      onGap: (gap) => outage?.channels.get(channel)?.gaps.push(gap),
    },
  );
  subscriptions.set(channel, subscription);
}

function begin(): Outage {
  const channels = new Map(names.map((name) => [name, { offsets: [], gaps: [], head: null }]));
  return { since: Date.now(), wasCut: isCut(), until: null, channels };
}

/** The connection is gone, or gone again before all was here. */
function lost(current: Outage): void {
  current.wasCut ||= isCut();
  for (const caught of current.channels.values()) caught.head = null;
}

async function findHead(channel: string): Promise<void> {
  const current = outage;
  const caught = current?.channels.get(channel);
  if (!caught) return;
  try {
    const { head } = await history(channel, 1);
    if (outage !== current || client.connection.status !== "connected") return;
    caught.head = head;
    finish();
  } catch {
    // The server is gone again; the next reconnect asks again.
  }
}

/** The outage is over when every channel has come as far as it was when this window was back. */
function finish(): void {
  if (!outage || outage.until === null) return;
  let came = 0;
  const gaps: Gap[] = [];
  for (const [channel, { head, offsets, gaps: missing }] of outage.channels) {
    const position = subscriptions.get(channel)?.position;
    if (head === null || !position || position.offset < head) return;
    came += offsets.filter((offset) => offset <= head).length;
    gaps.push(...missing);
  }
  recovery.set({ outageMs: outage.until - outage.since, wasCut: outage.wasCut, came, gaps });
  outage = null;
}
