/**
 * The client against the server and a bad network: whatever is cut, held back, restarted or left, every handler can tell
 * from what it was given which messages it has, and which it does not have. `FAST_CHECK_RUNS=5000 npx vitest run
 * tests/client/model` looks longer.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Client, Gap, Message, Position, Subscription } from "../../packages/client/src/index.js";
import { FakeClock } from "../../packages/client/src/testing/fake-clock.js";
import { FakePage } from "../../packages/client/src/testing/scripted-server.js";
import { parseChannelName } from "../../packages/protocol/src/index.js";
import { createFanfare, type Fanfare, MemoryEngine } from "../../packages/server/src/index.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, listen, shut, urlOf } from "./world.js";

const RUNS = Number(process.env.FAST_CHECK_RUNS ?? 60);
const SEED = process.env.FAST_CHECK_SEED;
const CHANNELS = ["news", "order:1", "order:2"];
const HISTORY = 20;
const DEADLINE_MS = 8000;

// ---- what can happen

const channel = fc.constantFrom(...CHANNELS);
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      channel,
      count: fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: 1, max: 3 }) },
        { weight: 1, arbitrary: fc.integer({ min: 10, max: 35 }) },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      channel,
      since: fc.constantFrom("none" as const, "none" as const, "start" as const, "reached" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), which: fc.nat(20) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("turns" as const), count: fc.integer({ min: 1, max: 40 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("time" as const),
      ms: fc.constantFrom(10, 300, 3000, 16_000, 40_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("sleep" as const), ms: fc.constantFrom(20_000, 600_000) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cut" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("halfClose" as const),
      side: fc.constantFrom("client" as const, "server" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stall" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refuse" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("lag" as const), turns: fc.integer({ min: 1, max: 20 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("heal" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("page" as const),
      event: fc.constantFrom("visible", "online", "offline", "pagehide", "pageshow"),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("close" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("connect" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("start over" as const), channel }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A second handler began in the new log at the offset of the old one. */
const SECOND_HANDLER_AFTER_ANOTHER_LOG: [Step[], number] = [
  [
    { do: "publish", channel: "order:2", count: 34 },
    { do: "subscribe", channel: "order:2", since: "none" },
    { do: "turns", count: 20_000 },
    { do: "start over", channel: "order:2" },
    { do: "publish", channel: "order:2", count: 1 },
    { do: "turns", count: 20_000 },
    { do: "subscribe", channel: "order:2", since: "none" },
    { do: "publish", channel: "order:2", count: 3 },
  ],
  894579826,
];

// ---- the record of what was published

class Truth {
  readonly #logs = new Map<string, Map<number, number>>();
  readonly #heads = new Map<string, Position>();
  #next = 0;

  async publish(fanfare: Fanfare, name: string): Promise<void> {
    const data = this.#next++;
    const { epoch, offset } = await fanfare.publish(name, data);
    const key = `${name} ${epoch}`;
    const log = this.#logs.get(key) ?? new Map<number, number>();
    this.#logs.set(key, log.set(offset, data));
    this.#heads.set(name, { epoch, offset });
  }

  data(name: string, { epoch, offset }: Position): number | undefined {
    return this.#logs.get(`${name} ${epoch}`)?.get(offset);
  }

  newest(name: string, epoch: string): number {
    return this.#logs.get(`${name} ${epoch}`)?.size ?? 0;
  }
}

// ---- one handler, and what it can tell

class Follower {
  readonly name: string;
  readonly subscription: Subscription;
  readonly #truth: Truth;
  /** Up to here it has every message, or knows which it lacks. */
  reached: Position | null;
  #missed = false;
  readonly #story: string[] = [];
  readonly faults: string[] = [];
  left = false;

  constructor(client: Client, name: string, since: Position | undefined, truth: Truth) {
    this.name = name;
    this.#truth = truth;
    this.reached = since ?? null;
    this.subscription = client.subscribe<number>(name, (message) => this.#message(message), {
      ...(since && { since }),
      onGap: (gap) => this.#gap(gap),
      onSubscribed: ({ position, recovered, reason }) => {
        this.#tell(`subscribed at ${show(position)}, ${recovered ? "recovered" : reason}`);
        if (!this.reached) {
          if (recovered || reason) this.#fail("nothing was there to be recovered");
          this.reached = position;
        } else if (recovered === (reason !== null)) this.#fail("recovered and a reason, or neither");
        else if (!recovered) this.#missed = true;
      },
      onError: (error) => this.#fail(`error: ${error.message}`),
    });
  }

  leave(): void {
    this.left = true;
    this.subscription.unsubscribe();
  }

  #message({ offset, data, channel: from }: Message<number>): void {
    const { position } = this.subscription;
    this.#tell(`message ${offset} at ${show(position)}`);
    const { reached } = this;
    if (this.left) this.#fail("a message after the end");
    if (this.#missed) this.#fail("not recovered, and no gap followed");
    if (from !== this.name || !position || position.offset !== offset || !reached) {
      this.#fail("a message that is not at its position");
      return;
    }
    if (this.#truth.data(from, position) !== data) this.#fail("a message that was not published");
    if (position.epoch !== reached.epoch) this.#fail("another log, and no gap said so");
    else if (offset !== reached.offset + 1) this.#fail(`a message where ${reached.offset + 1} was to come`);
    this.reached = position;
  }

  #gap({ reason, from, to, channel: about }: Gap): void {
    const { position } = this.subscription;
    this.#tell(`gap ${from}-${to}, ${reason}, at ${show(position)}`);
    const { reached } = this;
    if (this.left) this.#fail("a gap after the end");
    if (about !== this.name || !position || !reached) {
      this.#fail("a gap that is not at its position");
      return;
    }
    if (from === null || to === null) {
      if (position.epoch === reached.epoch)
        this.#fail("messages are missing, and they could have been named");
    } else {
      if (
        position.epoch !== reached.epoch ||
        from !== reached.offset + 1 ||
        to !== position.offset ||
        to < from
      ) {
        this.#fail(`a gap where ${reached.offset + 1} was to come`);
      }
      // What the log still holds is never given up.
      if (to > this.#truth.newest(about, position.epoch) - HISTORY) this.#fail("a gap over what is there");
    }
    this.#missed = false;
    this.reached = position;
  }

  #tell(what: string): void {
    this.#story.push(what);
  }

  #fail(what: string): void {
    this.faults.push(`${this.name}: ${what}\n    ${this.#story.slice(-12).join("\n    ")}`);
  }

  get story(): string {
    return this.#story.slice(-12).join("\n    ");
  }
}

const show = (position: Position | null) =>
  position ? `${position.epoch.slice(-4)}:${position.offset}` : "-";

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((done) => setImmediate(done));
}

// ---- the world

let server: Server;
let proxy: TcpProxy;
beforeAll(async () => {
  server = createServer();
  await listen(server);
  proxy = await TcpProxy.to((server.address() as AddressInfo).port);
});
afterAll(async () => {
  await proxy.close();
  await shut(server);
});

function start(engine: MemoryEngine): Fanfare {
  const rules = [{ channels: "**", history: HISTORY, historySeconds: 3600 }];
  const fanfare = createFanfare({ access: "open", rules, engine });
  fanfare.attach(server);
  return fanfare;
}

async function run(steps: readonly Step[], seed: number): Promise<void> {
  const clock = new FakeClock();
  const page = new FakePage();
  const truth = new Truth();
  const chance = fc.sample(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    numRuns: 50,
    seed,
  });
  let drawn = 0;
  const random = () => chance[drawn++ % chance.length] ?? 0;
  const client = clientOf(urlOf(proxy.port), { WebSocket, clock, page, random });
  const followers: Follower[] = [];
  let engine = new MemoryEngine({ allowIsolated: true });
  let fanfare = start(engine);
  const history: string[] = [];
  client.on("connection", (state) => history.push(JSON.stringify(state)));

  const reachedOf = (name: string) => followers.find((each) => each.name === name)?.reached ?? undefined;
  const sinceOf = (name: string, since: "none" | "start" | "reached"): Position | undefined => {
    const reached = reachedOf(name);
    return since === "none" || !reached ? undefined : since === "start" ? { ...reached, offset: 0 } : reached;
  };

  async function act(step: Step): Promise<void> {
    switch (step.do) {
      case "publish":
        for (let left = step.count; left > 0; left--) await truth.publish(fanfare, step.channel);
        return;
      case "subscribe":
        followers.push(new Follower(client, step.channel, sinceOf(step.channel, step.since), truth));
        return;
      case "unsubscribe":
        followers[step.which % Math.max(1, followers.length)]?.leave();
        return;
      case "turns":
        await turns(step.count);
        return;
      case "time":
        clock.advance(step.ms);
        return;
      case "sleep":
        clock.sleep(step.ms);
        return;
      case "cut":
      case "stall":
      case "refuse":
      case "heal":
        proxy[step.do]();
        return;
      case "halfClose":
        proxy.halfClose(step.side);
        return;
      case "lag":
        proxy.lag(step.turns);
        return;
      case "page":
        page.fire(step.event as Parameters<FakePage["fire"]>[0]);
        return;
      case "close":
      case "connect":
        client[step.do]();
        return;
      case "restart":
        await fanfare.close({ withinSeconds: 0.005 });
        await engine.close();
        engine = new MemoryEngine({ allowIsolated: true });
        fanfare = start(engine);
        return;
      case "start over":
        await engine.startOver(parseChannelName(step.channel));
    }
  }

  /** The network is well again and the page is there: everybody is to reach the head. */
  async function settle(): Promise<void> {
    proxy.heal();
    page.fire("pageshow");
    client.connect();
    // So that every channel has something to reach, also one that a restart has emptied.
    for (const name of CHANNELS) await truth.publish(fanfare, name);
    const heads = new Map<string, Position>();
    for (const name of CHANNELS) heads.set(name, await fanfare.position(name));
    const deadline = Date.now() + DEADLINE_MS;
    const behind = () =>
      followers.filter((each) => {
        const head = heads.get(each.name);
        // One that asked for the newest only may have begun at the head.
        return !each.left && (each.reached?.epoch !== head?.epoch || each.reached?.offset !== head?.offset);
      });
    while (behind().length > 0 && followers.every(({ faults }) => faults.length === 0)) {
      await turns(20);
      const { connection } = client;
      clock.advance(
        connection.status === "reconnecting" ? Math.max(0, connection.retryAt - clock.now()) : 100,
      );
      if (Date.now() < deadline) continue;
      const lines = behind().map(
        ({ name, reached, story }) =>
          `${name} stands at ${show(reached)}, and the head is ${show(heads.get(name) ?? null)}\n    ${story}`,
      );
      throw new Error(`${lines.join("\n")}\nthe client was\n    ${history.slice(-12).join("\n    ")}`);
    }
  }

  try {
    for (const step of steps) {
      await act(step);
      if (step.do !== "publish") await turns(1);
    }
    if (followers.some(({ left }) => !left)) await settle();
    expect(followers.flatMap(({ faults }) => faults)).toEqual([]);
  } finally {
    client.close();
    proxy.heal();
    proxy.cut();
    await fanfare.close({ withinSeconds: 0.005 });
    await engine.close();
  }
}

test("every handler has every message once and in order, or knows which it lacks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), fc.integer(), run),
    {
      numRuns: RUNS,
      examples: [SECOND_HANDLER_AFTER_ANOTHER_LOG],
      ...(SEED && { seed: Number(SEED) }),
      endOnFailure: process.env.FAST_CHECK_SHRINK !== "1",
    },
  );
}, 3_600_000);
