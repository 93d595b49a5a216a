import { createServer } from "node:http";
import type { Socket } from "node:net";
import { parseChannelName } from "@fanfare/protocol";
import { expect, onTestFinished, test } from "vitest";
import { Access } from "../../packages/server/src/access/access.js";
import { Entrance, entranceSettings } from "../../packages/server/src/access/entrance.js";
import { accessSettings } from "../../packages/server/src/access/settings.js";
import { ACCESS_SPACE, AccessStore } from "../../packages/server/src/access/store/store.js";
import { systemClock, systemRandom } from "../../packages/server/src/base/clock.js";
import { Failures } from "../../packages/server/src/base/failures.js";
import { silentLog } from "../../packages/server/src/base/log.js";
import { TimingWheel } from "../../packages/server/src/base/timing-wheel.js";
import { Clients } from "../../packages/server/src/doors/clients.js";
import { WebSocketDoor } from "../../packages/server/src/doors/websocket/door.js";
import { MemoryEngine } from "../../packages/server/src/engine/memory/memory-engine.js";
import type { Connection } from "../../packages/server/src/hub/delivery/connection.js";
import { Hub } from "../../packages/server/src/hub/hub.js";
import { Sessions } from "../../packages/server/src/hub/sessions.js";
import { DEFAULT_LIMITS } from "../../packages/server/src/hub/terms/limits.js";
import { Rules } from "../../packages/server/src/hub/terms/rules.js";
import { Locks } from "../../packages/server/src/locks/locks.js";
import { Sequences } from "../../packages/server/src/locks/sequences.js";
import { Arriving } from "../../packages/server/src/wire/arriving.js";
import { Bodies } from "../../packages/server/src/wire/bodies.js";
import { Client, type Delivery } from "./client.js";
import { OPCODE, RawClient } from "./raw-client.js";
import { listening } from "./serving.js";
import { until } from "./waiting.js";

const CLIENTS = 100;
const MESSAGES = 5000;
const CHANNELS = Array.from({ length: 20 }, (_, index) => parseChannelName(`channel:${index}`));
const PER_CHANNEL = MESSAGES / CHANNELS.length;
const KiB = 1024;

/** A hub and a door with nothing around them, to look inside. */
async function bareDoor() {
  const clock = systemClock;
  const random = systemRandom;
  const engine = new MemoryEngine({ clock, random, allowIsolated: true });
  const rules = new Rules([{ channels: "**", history: 10 }]);
  const hub = new Hub({ engine, rules, limits: DEFAULT_LIMITS, clock, random });
  const sessions = new Sessions(hub);
  const settings = accessSettings({ access: "open" });
  const log = silentLog;
  const failures = new Failures(log);
  const entrance = new Entrance(entranceSettings(), { clock, random, log });
  const { rates, refusals } = entrance;
  const store = new AccessStore({ space: engine.space(ACCESS_SPACE), clock, log: silentLog });
  const access = new Access({ settings, store, engine, rates, refusals, failures, clock, random, log });
  const clients = new Clients({ hub, access, entrance, log });
  const wheel = new TimingWheel(clock);
  const arriving = new Arriving({ clock, maxBytes: DEFAULT_LIMITS.bodyBytes });
  const bodies = new Bodies(arriving);
  const locks = new Locks(hub);
  const sequences = new Sequences(hub);
  const host = {
    hub,
    locks,
    sequences,
    sessions,
    access,
    entrance,
    log,
    failures,
    clients,
    wheel,
    arriving,
    bodies,
  };
  const door = new WebSocketDoor(host);
  const server = createServer();
  server.on("upgrade", (request, socket: Socket, head) => door.upgrade(request, socket, head));
  const port = await listening(server);
  onTestFinished(async () => {
    await clients.close(0);
    wheel.stop();
    hub.close();
    await engine.close();
  });
  return { hub, port };
}

/** What this process holds for a connection: what its socket has not taken, and what was read for it. */
function heldFor({ sink, subscriptions }: Connection): number {
  let bytes = sink.waitingBytes;
  for (const { read } of subscriptions.values()) {
    for (const { json } of read?.messages ?? []) bytes += json.length;
  }
  return bytes;
}

test("100 clients that stop reading hold at most 192 KiB each, disturb nobody, and learn what they missed", async () => {
  const { hub, port } = await bareDoor();
  const beside = await Client.connect(`ws://localhost:${port}/`);
  for (const channel of CHANNELS) await beside.subscribe(channel);

  const slow: RawClient[] = [];
  for (let tens = 0; tens < CLIENTS / 10; tens++) {
    slow.push(...(await Promise.all(Array.from({ length: 10 }, () => RawClient.connect(port)))));
  }
  for (const client of slow) {
    client.say({ type: "subscribe", request: 1, channels: CHANNELS.map((channel) => ({ channel })) });
  }
  await Promise.all(slow.map((client) => client.json("ok")));
  for (const client of slow) client.socket.pause();

  let most = 0;
  const data = "x".repeat(KiB);
  for (let count = 0; count < MESSAGES; count += CHANNELS.length) {
    await Promise.all(CHANNELS.map((channel) => hub.publish(channel, { data })));
    await new Promise<void>((done) => setImmediate(done));
    for (const connection of hub.connections.values()) most = Math.max(most, heldFor(connection));
  }
  expect(hub.stats().fullConnections).toBe(CLIENTS);
  expect(most).toBeGreaterThan(64 * KiB);
  expect(most).toBeLessThanOrEqual(192 * KiB);

  // The client beside them got all of it.
  const all = new InOrder();
  for (const frame of await beside.deliveries.take(MESSAGES)) all.take(frame);
  expect(all).toMatchObject({ wrong: [], gaps: 0, complete: CHANNELS.length });

  // Those who read again get, per channel, one sequence whose holes are announced, up to the head.
  for (const client of slow) client.socket.resume();
  await until(() => hub.stats().fullConnections === 0, "all have caught up");
  let gaps = 0;
  for (const client of slow) {
    const got = new InOrder();
    while (got.complete < CHANNELS.length) {
      const { opcode, payload } = await client.frames.next();
      if (opcode === OPCODE.text) got.take(JSON.parse(payload.toString()) as Delivery);
    }
    expect(got.wrong).toEqual([]);
    expect(client.frames.size).toBe(0);
    gaps += got.gaps;
  }
  expect(gaps).toBeGreaterThan(CLIENTS);
});

/** Checks that each channel is one sequence from 1 to the head, whose holes are announced. */
class InOrder {
  readonly wrong: Delivery[] = [];
  gaps = 0;
  /** Channels that have reached the head. */
  complete = 0;
  readonly #reached = new Map<string, number>();

  take(frame: Delivery): void {
    const [from, to] = frame.type === "gap" ? [frame.from, frame.to] : [frame.offset, frame.offset];
    if (from !== (this.#reached.get(frame.channel) ?? 0) + 1) this.wrong.push(frame);
    if (frame.type === "gap") {
      this.gaps++;
      if (frame.reason !== "too_slow") this.wrong.push(frame);
    }
    this.#reached.set(frame.channel, to);
    if (to === PER_CHANNEL) this.complete++;
  }
}
