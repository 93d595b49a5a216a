/** Who takes numbers and locks while a server is killed again and again, and what each of them can testify. */
import { KEY } from "./server.js";
import { pause } from "./witnesses.js";

/** What both do: call, again and again, until they are told to stop. */
abstract class Caller {
  /** Calls that got no answer. */
  unanswered = 0;
  protected readonly url: string;
  #stopping = false;
  #done: Promise<void> | null = null;

  constructor(url: string) {
    this.url = url;
  }

  start(): this {
    this.#done = this.#run();
    return this;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  protected abstract turn(count: number): Promise<void>;

  /** The answer, where there is one that says that it was done; else `null`. */
  protected async call<Answer>(
    method: string,
    path: string,
    body?: object,
    key?: string,
  ): Promise<Answer | null> {
    try {
      const response = await fetch(`${this.url}${path}`, {
        method,
        headers: {
          Authorization: `Bearer ${KEY}`,
          "Content-Type": "application/json",
          ...(key !== undefined && { "Idempotency-Key": key }),
        },
        body: body ? JSON.stringify(body) : null,
      });
      const text = await response.text();
      return response.ok ? (JSON.parse(text || "{}") as Answer) : null;
    } catch {
      this.unanswered++;
      return null;
    }
  }

  async #run(): Promise<void> {
    for (let count = 0; !this.#stopping; count++) {
      await this.turn(count);
      await pause(5);
    }
  }
}

/** Takes numbers. What it repeats, it repeats with the same key. */
export class Counter extends Caller {
  readonly numbers: number[] = [];
  readonly #name: string;

  constructor(name: string, url: string) {
    super(url);
    this.#name = name;
  }

  protected async turn(count: number): Promise<void> {
    const key = count % 2 === 0 ? `${this.#name} ${count}` : undefined;
    const body = { count: 1 + (count % 3) };
    for (let tries = 0; tries < 100; tries++) {
      const given = await this.call<{ first: number; last: number }>(
        "POST",
        "/sequences/ticket/next",
        body,
        key,
      );
      if (given) for (let number = given.first; number <= given.last; number++) this.numbers.push(number);
      if (given || key === undefined) return;
      await pause(20);
    }
  }
}

/** Surely held from one moment to the other, by the clock of this process. */
export interface HeldFor {
  readonly token: number;
  readonly from: number;
  readonly to: number;
}

/** Takes a lock, holds it for a moment, and lets go of it, or forgets to. */
export class Locker extends Caller {
  readonly held: HeldFor[] = [];
  readonly #leaseSeconds = 1;

  protected async turn(count: number): Promise<void> {
    const asked = performance.now();
    const lock = await this.call<{ token: number }>("PUT", "/locks/printer", {
      leaseSeconds: this.#leaseSeconds,
    });
    if (!lock) return;
    const from = performance.now();
    await pause(10);
    this.held.push({ ...lock, from, to: Math.min(performance.now(), asked + this.#leaseSeconds * 1000) });
    if (count % 10 !== 9) await this.call("DELETE", `/locks/printer?token=${lock.token}`);
  }
}

/** Nobody held the lock while somebody else did, and each had a greater token than those before. */
export function faultsOf(lockers: readonly Locker[]): string[] {
  const all = lockers.flatMap(({ held }) => held).sort((a, b) => a.from - b.from);
  return all.flatMap((each, index) => {
    const before = all[index - 1];
    if (!before || (each.token > before.token && each.from >= before.to)) return [];
    return [`${JSON.stringify(each)} comes after ${JSON.stringify(before)}`];
  });
}
