/** Waiting for events, never for a time: each wait has a deadline, and says what it waited for. */

/** Long, since the machine may be busy; shorter than the time that a test has. */
const DEADLINE_MS = 20_000;
/** Whoever has waited for so many turns waits for something slow, and leaves the processor to it. */
const TURNS = 200;

/** Lets the event loop turn until the condition holds. */
export async function until(condition: () => boolean, what: string, deadlineMs = DEADLINE_MS): Promise<void> {
  const end = performance.now() + deadlineMs;
  for (let turn = 0; !condition(); turn++) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise<void>((done) => void (turn < TURNS ? setImmediate(done) : setTimeout(done, 1)));
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

interface Taker<T> {
  readonly take: (value: T) => void;
  readonly fail: (why: Error) => void;
}

/** What arrived and was not taken yet, in order. */
export class Inbox<T> {
  readonly #name: string;
  readonly #waiting: T[] = [];
  #takers: Taker<T>[] = [];
  /** Why nothing more can come. */
  #end: Error | null = null;
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
    if (taker) taker.take(value);
    else this.#waiting.push(value);
  }

  /** Nothing more can come: whoever waits, or asks for more than has arrived, is told so at once. */
  end(why: string): void {
    this.#end = new Error(`waited in vain for the next of ${this.#name}: ${why}`);
    for (const { fail } of this.#takers.splice(0)) fail(this.#end);
  }

  next(): Promise<T> {
    const value = this.#waiting.shift();
    if (value !== undefined) return Promise.resolve(value);
    if (this.#end) return Promise.reject(this.#end);
    const coming = new Promise<T>((take, fail) => this.#takers.push({ take, fail }));
    return soon(coming, `the next of ${this.#name}`);
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
