/**
 * The hub against a model: whatever publishers, clients, the network and time do, every client can tell from its frames
 * which messages it has and which it does not have. `FAST_CHECK_RUNS=5000 npx vitest run hub.model` looks longer.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ChannelName,
  FanfareError,
  type Position,
  parseChannelName,
  parseEpoch,
} from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock, Random } from "../clock.js";
import { DiskEngine } from "../engine/disk/disk-engine.js";
import type { Engine } from "../engine/engine.js";
import { HostileEngine, type RestartableEngine } from "../engine/hostile-engine.js";
import { MemoryEngine } from "../engine/memory-engine.js";
import { CheckedClient } from "../testing/checked-client.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { LateAnswers } from "../testing/late-answers.js";
import { RecordedEngine } from "../testing/recorded-engine.js";
import { seeded } from "../testing/seeded.js";
import type { StateInput } from "./draft.js";
import { Hub } from "./hub.js";
import { DEFAULT_LIMITS } from "./limits.js";
import { type RuleOptions, Rules } from "./rules.js";

const RUNS = Number(process.env.FAST_CHECK_RUNS ?? 250);
const SEED = process.env.FAST_CHECK_SEED;
const CHANNELS = ["news", "order:1", "order:2"].map(parseChannelName);
const EVENTS = ["opened", "paid", "closed"];

// ---- what can happen

const channel = fc.nat(CHANNELS.length - 1);
const client = fc.nat(4);
const hub = fc.nat(1);
const size = fc.oneof({ weight: 8, arbitrary: fc.nat(200) }, fc.integer({ min: 1000, max: 90_000 }));
const reading = fc.constantFrom("at once" as const, "next turn" as const, "not" as const);
const since = fc.constantFrom("reached", "reached", "reached", "older", "invented", "beyond", "none");
const asks = fc.array(fc.record({ channel, since }), { minLength: 1, maxLength: 3 });

const publish = fc.record({
  do: fc.constant("publish" as const),
  hub,
  channel,
  event: fc.nat(2),
  size,
  count: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.integer({ min: 5, max: 40 })),
  /** In one turn of the event loop, or each in its own. */
  atOnce: fc.boolean(),
  keyed: fc.boolean(),
  except: fc.option(client, { freq: 12 }),
});
/** Small patches over few members, so that they meet; `null` removes the state. */
const member = fc.constantFrom<unknown>(null, null, 1, 2, { x: 1 }, { y: 2 }, { x: null }, { x: { z: 1 } });
const patch = fc.dictionary(fc.constantFrom("a", "b", "__proto__"), member, { maxKeys: 2 });
const change = fc.record({
  do: fc.constant("change" as const),
  hub,
  channel,
  inputs: fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ patch }) },
      { weight: 1, arbitrary: fc.constantFrom({ value: { a: { x: 0 } } }, { value: null }) },
    ),
    { minLength: 1, maxLength: 12 },
  ),
  atOnce: fc.boolean(),
  keyed: fc.boolean(),
});
const step = fc.oneof(
  { weight: 10, arbitrary: publish },
  { weight: 6, arbitrary: change },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("turn" as const), count: fc.integer({ min: 1, max: 8 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("reading" as const), client, reading }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("read" as const), client, bytes: fc.nat(100_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), client }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("come" as const), client, hub, reading, asks }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("subscribe" as const), client, asks }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), client, channel }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 20, 200, 1000, 3000, 12_000, 35_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("startOver" as const), channel }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("disconnect" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const rule = fc.record(
  {
    history: fc.constantFrom(0, 1, 5, 30),
    historySeconds: fc.constantFrom(2, 10, 300),
    maxRate: fc.constantFrom(1, 20),
    events: fc.constantFrom("all" as const, "latest" as const),
  },
  { requiredKeys: ["history"] },
);
const probability = fc.constantFrom(0, 0.1, 0.5);
const scene = fc.record({
  rules: fc.tuple(rule, rule, rule),
  highWaterMarks: fc.tuple(...Array.from({ length: 5 }, () => fc.constantFrom(1, 300, 16_384, 100_000))),
  maxStubs: fc.constantFrom(0, 1, 100),
  windowBytes: fc.constantFrom(0, 3000, 64 * 1024 * 1024),
  waitingBytes: fc.constantFrom(50_000, 256 * 1024 * 1024),
  historyBytes: fc.constantFrom(20_000, 256 * 1024 * 1024),
  lateTurns: fc.constantFrom(0, 1, 6),
  delayMs: fc.constantFrom(0, 30, 2000),
  duplicate: probability,
  drop: probability,
  fail: fc.constantFrom(0, 0.1, 0.3),
  seed: fc.integer(),
  steps: fc.array(step, { minLength: 5, maxLength: 60, size: "max" }),
});
type Scene = typeof scene extends fc.Arbitrary<infer Value> ? Value : never;

// ---- the world in which it happens

/** An engine as the world needs it. */
interface Plugged {
  readonly engine: RestartableEngine;
  /** Resolves when what is under way has been done, for an engine whose work takes time that is not the clock's. */
  settle(): Promise<void>;
  /** Cleans up after the engine was closed. */
  dispose(): void;
}

interface Outlet {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: { readonly maxStubs: number; readonly maxBytes: number; readonly forgetAfterMs: number };
}

const ENGINES: Readonly<Record<string, (outlet: Outlet) => Promise<Plugged>>> = {
  async memory({ clock, random, limits }) {
    const engine = new MemoryEngine({ clock, random, allowIsolated: true, ...limits });
    return { engine, settle: async () => {}, dispose() {} };
  },
  async disk({ clock, random, limits }) {
    const dataDir = mkdtempSync(join(tmpdir(), "fanfare-model-"));
    const engine = await DiskEngine.open({ dataDir, clock, random, ...limits });
    return {
      engine,
      settle: () => engine.settled(),
      dispose: () => rmSync(dataDir, { recursive: true }),
    };
  },
};

class Play {
  readonly #scene: Scene;
  readonly #clock: FakeClock;
  readonly #plugged: Plugged;
  readonly #fraction: () => number;
  readonly #truth: RecordedEngine;
  readonly #hostile: HostileEngine | null;
  readonly #hubs: Hub[];
  readonly #clients: CheckedClient[];
  readonly #publishing = new Set<Promise<void>>();
  readonly #faults: unknown[] = [];
  #keys = 0;

  static async run(scene: Scene, lossy: boolean, plug: (outlet: Outlet) => Promise<Plugged>): Promise<void> {
    const clock = new FakeClock();
    const fraction = seeded(scene.seed);
    const bytes = (count: number) => Uint8Array.from({ length: count }, () => Math.floor(fraction() * 256));
    const { maxStubs, historyBytes } = scene;
    const limits = { maxStubs, maxBytes: historyBytes, forgetAfterMs: 20_000 };
    const random = { fraction, bytes };
    const plugged = await plug({ clock, random, limits });
    await new Play(scene, lossy, plugged, clock, random).#run();
  }

  private constructor(scene: Scene, lossy: boolean, plugged: Plugged, clock: FakeClock, random: Random) {
    this.#scene = scene;
    this.#plugged = plugged;
    this.#clock = clock;
    this.#fraction = random.fraction;
    this.#truth = new RecordedEngine(plugged.engine);
    const { windowBytes, waitingBytes, lateTurns } = scene;
    const { delayMs, duplicate, drop, fail } = scene;
    const how = { clock, random: this.#fraction, delayMs, duplicate, drop, fail };
    this.#hostile = lossy ? new HostileEngine(this.#truth, how) : null;
    const rules = new Rules(
      scene.rules.map((each, index): RuleOptions => ({ channels: CHANNELS[index] ?? "", ...each })),
    );
    const engine: Engine = new LateAnswers(this.#hostile ?? this.#truth, () =>
      Math.floor(this.#fraction() * (lateTurns + 1)),
    );
    const options = {
      engine,
      rules,
      clock,
      random,
      limits: { ...DEFAULT_LIMITS, windowBytes, waitingBytes, messageBytes: 100_000 },
    };
    this.#hubs = lossy ? [new Hub(options), new Hub(options)] : [new Hub(options)];
    const world = { truth: this.#truth, rules, lossless: !lossy };
    this.#clients = scene.highWaterMarks.map(
      (mark, index) => new CheckedClient(`client ${index}`, mark, world),
    );
  }

  async #run(): Promise<void> {
    try {
      for (const step of this.#scene.steps) {
        await this.#do(step);
        await this.#check();
      }
      await this.#end();
    } finally {
      for (const hub of this.#hubs) hub.close();
      await this.#truth.close();
      this.#plugged.dispose();
    }
  }

  async #do(step: Step): Promise<void> {
    switch (step.do) {
      case "publish":
        await this.#publish(step);
        break;
      case "change":
        await this.#change(step);
        break;
      case "turn":
        await turns(step.count);
        break;
      case "reading":
        this.#client(step.client).reading = step.reading;
        break;
      case "read":
        this.#client(step.client).read(step.bytes);
        break;
      case "leave":
        this.#client(step.client).leave();
        break;
      case "come": {
        const client = this.#client(step.client);
        client.connect(this.#hub(step.hub), step.reading);
        await client.subscribe(await this.#asks(client, step.asks));
        break;
      }
      case "subscribe": {
        const client = this.#client(step.client);
        await client.subscribe(await this.#asks(client, step.asks));
        break;
      }
      case "unsubscribe":
        this.#client(step.client).unsubscribe(this.#channel(step.channel));
        break;
      case "wait":
        await this.#forward(step.ms, Math.max(step.ms / 20, 1));
        break;
      case "startOver":
        await this.#truth.startOver(this.#channel(step.channel));
        break;
      case "disconnect":
        this.#hostile?.disconnect();
        break;
      case "reconnect":
        this.#hostile?.reconnect();
        break;
    }
  }

  async #publish(step: Extract<Step, { do: "publish" }>): Promise<void> {
    const except = step.except === null ? undefined : this.#client(step.except).connectionId;
    for (let count = 0; count < step.count; count++) {
      const number = ++this.#keys;
      const input = {
        data: `${number} ${"x".repeat(step.size)}`,
        event: EVENTS[(step.event + (step.count > 4 ? count : 0)) % EVENTS.length],
        key: step.keyed ? `key ${number}` : undefined,
        except,
      };
      const publishing = this.#publishUntilDone(step.hub, this.#channel(step.channel), input)
        .catch((error: unknown) => void this.#faults.push(error))
        .finally(() => this.#publishing.delete(publishing));
      this.#publishing.add(publishing);
      if (!step.atOnce) await turns();
    }
  }

  async #change(step: Extract<Step, { do: "change" }>): Promise<void> {
    for (const each of step.inputs) {
      const input = { ...each, key: step.keyed ? `key ${++this.#keys}` : undefined };
      const changing = this.#changeUntilDone(step.hub, this.#channel(step.channel), input)
        .catch((error: unknown) => void this.#faults.push(error))
        .finally(() => this.#publishing.delete(changing));
      this.#publishing.add(changing);
      if (!step.atOnce) await turns();
    }
  }

  async #changeUntilDone(first: number, channel: ChannelName, input: StateInput): Promise<void> {
    for (let attempt = first; ; attempt++) {
      try {
        const { epoch, offset } = await this.#hub(attempt).changeState(channel, input);
        const draft = this.#truth.appended(channel, epoch, offset);
        if (draft?.json !== JSON.stringify(input.patch ?? input.value)) {
          throw new Error(`${channel} ${epoch}:${offset} is not what was acknowledged`);
        }
        return;
      } catch (error) {
        if (!(error instanceof FanfareError) || error.code !== "unavailable") throw error;
        if (input.key === undefined) return;
        await new Promise<void>((done) => this.#clock.after(100, done));
      }
    }
  }

  /** Tries again, on any node, where a key makes that safe. What is acknowledged has to be the truth. */
  async #publishUntilDone(
    first: number,
    channel: ChannelName,
    input: { data: string; event: string | undefined; key: string | undefined; except: string | undefined },
  ): Promise<void> {
    for (let attempt = first; ; attempt++) {
      try {
        const { epoch, offset } = await this.#hub(attempt).publish(channel, input);
        const draft = this.#truth.appended(channel, epoch, offset);
        if (draft?.json !== JSON.stringify(input.data)) {
          throw new Error(`${channel} ${epoch}:${offset} is not what was acknowledged`);
        }
        return;
      } catch (error) {
        if (!(error instanceof FanfareError) || error.code !== "unavailable") throw error;
        if (input.key === undefined) return;
        await new Promise<void>((done) => this.#clock.after(100, done));
      }
    }
  }

  async #asks(client: CheckedClient, asks: readonly { channel: number; since: string }[]) {
    const found = new Map<ChannelName, { channel: ChannelName; since: Position | undefined }>();
    for (const ask of asks) {
      const channel = this.#channel(ask.channel);
      const reached = client.reached.get(channel);
      found.set(channel, { channel, since: await this.#since(ask.since, channel, reached) });
    }
    return [...found.values()];
  }

  async #since(
    kind: string,
    channel: ChannelName,
    reached: Position | undefined,
  ): Promise<Position | undefined> {
    if (kind === "none") return undefined;
    const stand = await this.#truth.truth(channel);
    if (kind === "invented") return { epoch: parseEpoch("0123456789abcdef"), offset: 3 };
    if (kind === "beyond") return { epoch: stand.epoch, offset: stand.offset + 2 };
    if (kind === "reached") return reached && { ...reached };
    const { epoch, offset } = reached ?? stand;
    return { epoch, offset: Math.floor(this.#fraction() * (offset + 1)) };
  }

  async #check(): Promise<void> {
    for (const channel of CHANNELS) await this.#truth.truth(channel);
    for (const client of this.#clients) client.check();
    if (this.#faults.length > 0) throw this.#faults[0];
  }

  /** The network is well again and everybody reads: then everybody has to arrive at the head. */
  async #end(): Promise<void> {
    this.#hostile?.reconnect();
    this.#hostile?.calm();
    for (const client of this.#clients) client.reading = "at once";
    await this.#forward(16_000, 250);
    for (let turn = 0; this.#publishing.size > 0 && turn < 200; turn++) await this.#forward(50);
    expect(this.#publishing.size).toBe(0);
    await this.#forward(12_000, 250);
    await this.#check();
    for (const client of this.#clients) await client.checkArrived();
  }

  /** Lets time pass; in each step of it the engine gets done what it has to do. */
  async #forward(ms: number, stepMs = ms): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.#clock.forward(Math.min(stepMs, left));
      await this.#plugged.settle();
      await turns();
    }
  }

  #hub(index: number): Hub {
    const hub = this.#hubs[index % this.#hubs.length];
    if (!hub) throw new RangeError(`no hub ${index}`);
    return hub;
  }
  #client(index: number): CheckedClient {
    const client = this.#clients[index % this.#clients.length];
    if (!client) throw new RangeError(`no client ${index}`);
    return client;
  }
  #channel(index: number): ChannelName {
    const channel = CHANNELS[index % CHANNELS.length];
    if (!channel) throw new RangeError(`no channel ${index}`);
    return channel;
  }
}

const parameters = { numRuns: RUNS, endOnFailure: false, ...(SEED && { seed: Number(SEED) }) };
const timeoutMs = 60_000 + RUNS * 1000;

describe.each(Object.entries(ENGINES))("with the %s engine", (_, plug) => {
  test(
    "on one node, each client knows what it has and what it does not have",
    () =>
      fc.assert(
        fc.asyncProperty(scene, (each) => Play.run(each, false, plug)),
        parameters,
      ),
    timeoutMs,
  );

  test(
    "on two nodes and a network that delays, doubles, drops and fails, each client knows what it has and has not",
    () =>
      fc.assert(
        fc.asyncProperty(scene, (each) => Play.run(each, true, plug)),
        parameters,
      ),
    timeoutMs,
  );
});
