/**
 * The hub against a model: whatever publishers, clients, the network and time do, every client can tell from its frames
 * which messages it has and which it does not have. `FAST_CHECK_RUNS=5000 npx vitest run hub.model` looks longer.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChannelName, FanfareError, type Position, parseEpoch } from "@fanfare/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock, Random } from "../base/clock.js";
import { DiskEngine } from "../engine/disk/disk-engine.js";
import { HostileEngine, type RestartableEngine } from "../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { NO_HOLDINGS } from "../engine/shares.js";
import { CheckedClient } from "../testing/checked-client.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { checkDeliveries, checkHoldings, checkNothingHeld } from "../testing/hub-recount.js";
import { CHANNELS, EVENTS, ONCE_FAILED, type Scene, type Step, scene } from "../testing/hub-scene.js";
import { lateAnswers } from "../testing/late-answers.js";
import { RecordedEngine } from "../testing/recorded-engine.js";
import { seeded } from "../testing/seeded.js";
import { Hub } from "./hub.js";
import type { MessageInput, StateInput } from "./terms/draft.js";
import { DEFAULT_LIMITS } from "./terms/limits.js";
import type { RuleOptions } from "./terms/rule-options.js";
import { Rules } from "./terms/rules.js";

const OWNERS = ["alice", "bob", undefined];
const RUNS = Number(process.env.FAST_CHECK_RUNS ?? 100);

// ---- the world in which it happens

/** An engine as the world needs it. */
interface Plugged {
  readonly engine: RestartableEngine;
  /** Resolves when what is under way has been done, for an engine whose work takes time that is not the clock's. */
  settle(): Promise<void>;
  /** Does all that it does by itself in time. */
  tidy(): Promise<void>;
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
    return { engine, settle: async () => {}, tidy: async () => {}, dispose() {} };
  },
  async disk({ clock, random, limits }) {
    const dataDir = mkdtempSync(join(tmpdir(), "fanfare-model-"));
    const engine = await DiskEngine.open({ dataDir, clock, random, ...limits });
    return {
      engine,
      settle: () => engine.settled(),
      // One may be under way, and what one forgets the next removes.
      async tidy() {
        for (let sweeps = 0; sweeps < 3; sweeps++) await engine.sweep();
      },
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
    const { delayMs, duplicate, drop, fail, hold, forget } = scene;
    const how = { clock, random: this.#fraction, delayMs, duplicate, drop, fail, hold, forget };
    this.#hostile = lossy ? new HostileEngine(this.#truth.engine, how) : null;
    const rules = new Rules(
      scene.rules.map((each, index): RuleOptions => ({ channels: CHANNELS[index] ?? "", ...each })),
    );
    const engine = lateAnswers(this.#hostile ?? this.#truth.engine, () =>
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
    const { rests } = this.#hostile?.logs ?? {};
    const world = { truth: this.#truth, rules, lossless: !lossy, rests };
    this.#clients = scene.highWaterMarks.map(
      (mark, index) => new CheckedClient(`client ${index}`, mark, world),
    );
  }

  async #run(): Promise<void> {
    const { timers } = this.#clock;
    try {
      for (const step of this.#scene.steps) {
        await this.#do(step);
        await this.#check();
      }
      await this.#end();
      await this.#recount();
      // Takes as long as all before, so some are enough.
      if (this.#scene.seed % 4 === 0) {
        await this.#allLeave();
        expect(this.#clock.timers).toBe(timers);
      }
    } finally {
      for (const hub of this.#hubs) hub.close();
      await this.#truth.engine.close();
      this.#plugged.dispose();
    }
    expect(this.#clock.timers).toBe(0);
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
        await (this.#hostile ?? this.#truth).startOver(this.#channel(step.channel));
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
        id: step.keyed ? `key ${number}` : undefined,
        except,
        owner: OWNERS[number % OWNERS.length],
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
      const number = ++this.#keys;
      const owner = OWNERS[number % OWNERS.length];
      const input = { ...each, id: step.keyed ? `key ${number}` : undefined, owner };
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
        if (input.id === undefined) return;
        await new Promise<void>((done) => this.#clock.after(100, done));
      }
    }
  }

  /** Tries again, on any node, where a key makes that safe. What is acknowledged has to be the truth. */
  async #publishUntilDone(first: number, channel: ChannelName, input: MessageInput): Promise<void> {
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
        if (input.id === undefined) return;
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

  /** What is said of what is held, and of what was done, is so. */
  async #recount(): Promise<void> {
    // Until what was not subscribed to any more is let go of.
    await this.#forward(30_000);
    const connections = this.#clients.flatMap(({ connections }) => connections);
    for (const hub of this.#hubs) {
      checkHoldings(hub);
      const subscribers = connections.filter((each) => each.hub === hub).map(({ subscriber }) => subscriber);
      checkDeliveries(hub, subscribers);
    }
    const drafts = this.#truth.all();
    const messages = drafts.flatMap((draft) => (draft.change ? [] : Buffer.byteLength(draft.json)));
    const states = drafts.flatMap((draft) => (draft.change ? Buffer.byteLength(draft.state ?? "") : []));
    const appended = {
      published: messages.length,
      publishedBytes: messages.reduce((sum, bytes) => sum + bytes, 0),
      largestMessage: Math.max(0, ...messages),
      stateChanges: states.length,
      largestState: Math.max(0, ...states),
    };
    // On a network that loses answers, nobody knows of all that was appended.
    if (!this.#hostile) expect(this.#hubs[0]?.counters).toMatchObject(appended);
  }

  /** Messages grow old, then all leave: nothing is held any more, and no timer waits that did not wait at the beginning. */
  async #allLeave(): Promise<void> {
    await this.#forward(300_000, 100_000);
    for (const hub of this.#hubs) expect(hub.looseBytes()).toBe(0);
    for (const client of this.#clients) client.leave();
    await this.#forward(32_000);
    for (const hub of this.#hubs) checkNothingHeld(hub);
    const { engine } = this.#plugged;
    for (const channel of CHANNELS) await engine.logs.remove(channel);
    await this.#forward(300_000);
    await this.#plugged.tidy();
    const nothing = { channels: 0, messages: 0, bytes: 0, idempotencyKeys: 0, owned: NO_HOLDINGS };
    expect(await engine.stats?.()).toMatchObject(nothing);
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

const parameters = { numRuns: RUNS, examples: ONCE_FAILED.map((each): [Scene] => [each]) };
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
