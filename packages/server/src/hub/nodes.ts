/**
 * The nodes that share an engine. Each keeps a lease in a space of the engine, so that all know which there are, by the engine's time. A
 * question goes to all of them, and what comes back names those that did not answer in time. Knows nothing of what is asked.
 */
import { hostname } from "node:os";
import type { Clock, Timer } from "../base/clock.js";
import type { Failures } from "../base/failures.js";
import { VERSION } from "../base/package.js";
import type { Engine, Space } from "../engine/engine.js";

const LEASE_MS = 15_000;
const RENEW_EVERY_MS = 5000;
const ANSWER_WITHIN_MS = 1000;
/** More nodes are not listed. */
const MAX_NODES = 1000;
const ANSWER_TOPIC = "nodes.answer";

export interface NodeInfo {
  /** Its name; another one for each process. */
  readonly node: string;
  readonly version: string;
  /** The machine and the process. */
  readonly address: string;
}

interface Lease extends NodeInfo {
  /** When it ends unless it is renewed, by the engine's time. */
  readonly expires: number;
}

export interface Answers {
  readonly answers: readonly { readonly node: string; readonly answer: unknown }[];
  /** The nodes that did not answer within a second. */
  readonly silent: readonly NodeInfo[];
}

/** The messages between nodes. */
interface Question {
  readonly asker: string;
  readonly number: number;
  readonly question: unknown;
}
interface Answer {
  readonly asker: string;
  readonly number: number;
  readonly node: string;
  readonly answer: unknown;
}

export interface NodesHost {
  /** The name of this node. */
  readonly node: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly failures: Failures;
}

export class Nodes {
  readonly #host: NodesHost;
  readonly #space: Space;
  readonly #info: NodeInfo;
  readonly #renewing: Timer;
  readonly #handlers = new Map<string, (question: unknown) => unknown>();
  readonly #stops = new Set<() => void>();
  /** Questions that wait for answers, by number. */
  readonly #asked = new Map<number, { take(node: string, answer: unknown): void; settle(): void }>();
  #questions = 0;
  /** The lease as it was written last. */
  #written: string | null = null;
  #isRenewing = false;
  #closed = false;

  constructor(host: NodesHost) {
    this.#host = host;
    const { node, engine, clock, failures } = host;
    this.#space = engine.space("nodes", { volatile: true });
    this.#info = { node, version: VERSION, address: `${hostname()}:${process.pid}` };
    const hear = (json: string) => {
      const answer = JSON.parse(json) as Answer;
      if (answer.asker === node) this.#asked.get(answer.number)?.take(answer.node, answer.answer);
    };
    this.#stops.add(engine.signals.on(ANSWER_TOPIC, failures.guarded("hub", hear)));
    this.#renewing = clock.every(RENEW_EVERY_MS, () => this.#renewSoon());
    this.#renewSoon();
  }

  /** The machine and the process of this node. */
  get address(): string {
    return this.#info.address;
  }

  /** The nodes whose leases last, this one included. @throws FanfareError `unavailable` */
  async list(): Promise<NodeInfo[]> {
    const [values, now] = await Promise.all([this.#space.list(null, MAX_NODES), this.#host.engine.now()]);
    const others = values
      .map(({ value }) => JSON.parse(value) as Lease)
      .filter(({ node, expires }) => expires > now && node !== this.#info.node)
      .map(({ node, version, address }) => ({ node, version, address }));
    return [this.#info, ...others];
  }

  /**
   * From now on this node answers questions on a topic. A handler that throws does not answer.
   *
   * @param handler answers at once, or with a promise; what JSON has
   */
  answer(topic: string, handler: (question: unknown) => unknown): void {
    const { node, engine, failures } = this.#host;
    this.#handlers.set(topic, handler);
    const hear = (json: string) => {
      const { asker, number, question } = JSON.parse(json) as Question;
      if (asker === node) return;
      failures.inBackground("answering another node", async () => {
        const answer: Answer = { asker, number, node, answer: await handler(question) };
        await engine.signals.send(ANSWER_TOPIC, JSON.stringify(answer));
      });
    };
    this.#stops.add(engine.signals.on(topicOf(topic), failures.guarded("hub", hear)));
  }

  /**
   * Asks all nodes, this one included, and waits until all have answered, or a second.
   *
   * @param isEnough the other answers are not waited for. @default all are
   * @throws FanfareError `unavailable`
   */
  async ask(
    topic: string,
    question: unknown,
    isEnough: (answer: unknown) => boolean = () => false,
  ): Promise<Answers> {
    const { node, engine, clock, failures } = this.#host;
    const nodes = await this.list();
    const waiting = new Map(nodes.map((each) => [each.node, each]));
    const answers: { node: string; answer: unknown }[] = [];
    const number = ++this.#questions;
    let timer: Timer | undefined;
    try {
      const done = new Promise<void>((settle) => {
        const take = (from: string, answer: unknown) => {
          if (answers.some((each) => each.node === from)) return;
          answers.push({ node: from, answer });
          waiting.delete(from);
          if (waiting.size === 0 || isEnough(answer)) settle();
        };
        this.#asked.set(number, { take, settle });
        timer = clock.after(ANSWER_WITHIN_MS, settle);
        failures.inBackground("answering a question of this node", async () => {
          take(node, await this.#handlers.get(topic)?.(question));
        });
      });
      const asked: Question = { asker: node, number, question };
      if (nodes.length > 1) await engine.signals.send(topicOf(topic), JSON.stringify(asked));
      await done;
      return { answers, silent: [...waiting.values()] };
    } finally {
      timer?.cancel();
      this.#asked.delete(number);
    }
  }

  /** Gives its lease back, where the engine can be reached. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#renewing.cancel();
    for (const stop of this.#stops) stop();
    for (const { settle } of this.#asked.values()) settle();
    if (this.#written === null) return;
    const giving = this.#space.compareAndSet(this.#info.node, this.#written, null);
    // Where that fails, it ends by itself.
    giving.catch(() => {});
  }

  #renewSoon(): void {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    this.#host.failures.inBackground("renewing the lease of a node", async () => {
      try {
        await this.#renew();
      } catch (error) {
        this.#host.failures.goesOn("renewing the lease of a node", error);
      } finally {
        this.#isRenewing = false;
      }
    });
  }

  async #renew(): Promise<void> {
    const now = await this.#host.engine.now();
    if (this.#closed) return;
    const lease: Lease = { ...this.#info, expires: now + LEASE_MS };
    const value = JSON.stringify(lease);
    // An answer that got lost leaves another value there than this node knows of.
    const known = this.#written;
    if (!(await this.#space.compareAndSet(this.#info.node, known, value))) {
      await this.#space.compareAndSet(this.#info.node, await this.#space.get(this.#info.node), value);
    }
    this.#written = value;
    for (const { key, value } of await this.#space.list(null, MAX_NODES)) {
      const { expires } = JSON.parse(value) as Lease;
      if (expires + LEASE_MS < now) await this.#space.compareAndSet(key, value, null);
    }
  }
}

function topicOf(topic: string): string {
  return `nodes.ask.${topic}`;
}
