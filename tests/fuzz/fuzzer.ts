/** What every fuzzer is: what it sends, and how. */
import type fc from "fast-check";

const DEADLINE_MS = 20_000;

export interface Target {
  readonly port: number;
}

export interface Fuzzer<Case> {
  readonly name: string;
  readonly cases: fc.Arbitrary<Case>;
  /** Sends it, and resolves when the server has dealt with it. */
  send(target: Target, sent: Case): Promise<void>;
}

/** The promise, or an error that says what was waited for in vain. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`waited in vain for ${what}`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
