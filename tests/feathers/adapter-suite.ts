/** Runs `@feathersjs/adapter-tests`, which is written for mocha, and tells which of its tests pass. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

type Step = () => unknown;

interface Block {
  readonly before: Step[];
  readonly beforeEach: Step[];
  readonly afterEach: Step[];
}

interface Collected {
  readonly name: string;
  readonly run: Step;
  /** The blocks that it stands in, the outermost first. */
  readonly blocks: readonly Block[];
}

export interface Outcome {
  readonly total: number;
  /** The names of those that do not pass, with what they say. */
  readonly failed: Readonly<Record<string, string>>;
}

type Suite = (names: readonly string[]) => (app: object, errors: object, service: string, id: string) => void;

const require = createRequire(import.meta.url);

/** @param app has `service(name)` */
export async function runAdapterTests(app: object, service: string): Promise<Outcome> {
  const tests = collect(app, service);
  const failed: Record<string, string> = {};
  for (const { name, run, blocks } of tests) {
    for (const { before } of blocks) for (const step of before.splice(0)) await step();
    try {
      for (const { beforeEach } of blocks) for (const step of beforeEach) await step();
      await run();
    } catch (error) {
      failed[name] = error instanceof Error ? error.message : String(error);
    }
    for (const { afterEach } of blocks.toReversed()) {
      // What a test has not made cannot be taken away.
      for (const step of afterEach) await Promise.resolve(step()).catch(() => {});
    }
  }
  return { total: tests.length, failed };
}

function collect(app: object, service: string): Collected[] {
  const tests: Collected[] = [];
  let blocks: readonly Block[] = [];
  const inner = () => {
    const block = blocks.at(-1);
    if (!block) throw new Error("outside of a block");
    return block;
  };
  const it = (name: string, run: Step) => void tests.push({ name, run, blocks });
  const mocha = {
    describe(_name: string, define: () => void) {
      const outer = blocks;
      blocks = [...outer, { before: [], beforeEach: [], afterEach: [] }];
      define();
      blocks = outer;
    },
    it: Object.assign(it, {
      skip(name: string) {
        throw new Error(`${name} is not among the names`);
      },
    }),
    before: (step: Step) => void inner().before.push(step),
    beforeEach: (step: Step) => void inner().beforeEach.push(step),
    afterEach: (step: Step) => void inner().afterEach.push(step),
    // It only prints what was left out.
    after: () => {},
  };
  const suite: Suite = require("@feathersjs/adapter-tests").adapterTests;
  withGlobals(mocha, () => suite(allNames())(app, {}, service, "id"));
  return tests;
}

/** Every name that the package declares, so that none is left out. */
function allNames(): string[] {
  const declared = readFileSync(require.resolve("@feathersjs/adapter-tests/lib/declarations.d.ts"), "utf8");
  return [...declared.matchAll(/'([^']+)'/g)].flatMap(([, name]) => name ?? []);
}

function withGlobals(globals: object, work: () => void): void {
  const before = Object.getOwnPropertyDescriptors(globalThis);
  try {
    for (const [name, value] of Object.entries(globals)) {
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    }
    work();
  } finally {
    for (const name of Object.keys(globals)) {
      const descriptor = Object.getOwnPropertyDescriptor(before, name)?.value;
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else Reflect.deleteProperty(globalThis, name);
    }
  }
}
