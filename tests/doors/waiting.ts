/** Waiting for events, never for a time: each wait has a deadline, and says what it waited for. */

const DEADLINE_MS = 8000;

/** Lets the event loop turn until the condition holds. */
export async function until(condition: () => boolean, what: string, deadlineMs = DEADLINE_MS): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise<void>((done) => setImmediate(done));
  }
}

/** The promise, or an error when it takes too long. */
export async function soon<T>(promise: Promise<T>, what: string, deadlineMs = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`waited in vain for ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What arrived and was not taken yet, in order. */
export class Inbox<T> {
  readonly #name: string;
  readonly #waiting: T[] = [];
  #takers: ((value: T) => void)[] = [];
  /** How many ever arrived. */
  arrived = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** How many are there to be taken. */
  get size(): number {
    return this.#waiting.length;
  }

  put(value: T): void {
    this.arrived++;
    const taker = this.#takers.shift();
    if (taker) taker(value);
    else this.#waiting.push(value);
  }

  next(): Promise<T> {
    const value = this.#waiting.shift();
    if (value !== undefined) return Promise.resolve(value);
    return soon(new Promise<T>((done) => this.#takers.push(done)), `the next of ${this.#name}`);
  }

  /** The next for which this holds; those before it are dropped. */
  async nextThat(holds: (value: T) => boolean): Promise<T> {
    for (;;) {
      const value = await this.next();
      if (holds(value)) return value;
    }
  }

  async take(count: number): Promise<T[]> {
    const values: T[] = [];
    while (values.length < count) values.push(await this.next());
    return values;
  }
}
