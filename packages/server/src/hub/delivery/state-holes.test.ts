/** The state of a channel after a hole in its log, as long as the engine has not said what it is. */
import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { MemoryEngine } from "../../engine/memory/memory-engine.js";
import { aHub } from "../../testing/a-hub.js";
import { changedEngine } from "../../testing/changed-engine.js";
import { turns } from "../../testing/fake-clock.js";

const JOB = parseChannelName("job:1");

/** What it answers about states can be held back. */
class LateStates {
  readonly #memory = new MemoryEngine({ allowIsolated: true });
  #answered = Promise.resolve();
  readonly engine = changedEngine(this.#memory, {
    logs: {
      state: async (channel) => {
        await this.#answered;
        return await this.#memory.logs.state(channel);
      },
    },
  });

  /** The channel's log starts over, and nothing is told of its state until what is answered here is called. */
  async startOverUntold(): Promise<() => void> {
    let answer = () => {};
    this.#answered = new Promise((done) => {
      answer = done;
    });
    await this.#memory.startOver(JOB);
    await turns(4);
    return answer;
  }
}

test.each([
  ["is written", {}],
  ["waits for its rate", { maxRate: 1 }],
])("whoever falls behind after a hole, while what follows %s, is told the state, too", async (_, rule) => {
  const late = new LateStates();
  const { engine } = late;
  const hub = aHub({ rules: [{ channels: "job:1", ...rule }], engine });
  const reader = hub.open({ highWaterMark: 1 });
  hub.subscribe(reader, "job:1");
  await hub.hub.changeState(JOB, { patch: { a: 1 } });
  await turns(2);
  await hub.clock.forward(2000);
  reader.reading = "not";
  const answer = await late.startOverUntold();
  // The gap has filled the connection; this is too much for it.
  await hub.publish("job:1", "after");
  await turns(2);
  answer();
  await turns(4);
  reader.reading = "at once";
  await hub.clock.forward(2000);
  expect(reader.story.slice(2).sort()).toEqual(["1", "gap 1-0 epoch_changed", 'state 0-0 {"value":null}']);
});

test("whoever has caught up over a hole loses nothing while nobody knows the state", async () => {
  const late = new LateStates();
  const { engine } = late;
  const hub = aHub({ rules: [{ channels: "job:1", history: 0 }], engine });
  const reader = hub.open({ reading: "not", highWaterMark: 1 });
  hub.subscribe(reader, "job:1");
  await hub.hub.changeState(JOB, { patch: { a: 1 } });
  await turns(2);
  const answer = await late.startOverUntold();
  reader.reading = "at once";
  await turns(2);
  for (const data of ["a", "b"]) {
    await hub.publish("job:1", data);
    await turns(2);
  }
  answer();
  await turns(4);
  expect(reader.story.slice(-4)).toEqual(["gap 1-0 epoch_changed", "1", "2", 'state 0-0 {"value":null}']);
});

test("a client that was told a change while nobody knew the state is told that the next log has none", async () => {
  const late = new LateStates();
  const hub = aHub({ rules: [{ channels: "job:1" }], engine: late.engine });
  const reader = hub.open();
  hub.subscribe(reader, "job:1");
  await turns(2);
  const answers = [await late.startOverUntold()];
  const draft = { change: "value", json: '{"a":1}', state: '{"a":1}', base: null } as const;
  await late.engine.logs.append(JOB, draft, { messages: 10, ageMs: 60_000 });
  await turns(2);
  answers.push(await late.startOverUntold());
  for (const answer of answers) answer();
  await turns(6);
  expect(reader.story.slice(-2)).toEqual(["gap 1-0 epoch_changed", 'state 0-0 {"value":null}']);
});

test("an engine that cannot tell the state is asked again soon, and not without a pause", async () => {
  const memory = new MemoryEngine({ allowIsolated: true });
  let [asked, broken] = [0, false];
  const engine = changedEngine(memory, {
    logs: {
      async state(channel) {
        if (broken && asked++ < 4) throw new FanfareError("unavailable", "the engine is away");
        return await memory.logs.state(channel);
      },
    },
  });
  const hub = aHub({ engine });
  const reader = hub.open();
  hub.subscribe(reader, "job:1");
  await hub.hub.changeState(JOB, { patch: { a: 1 } });
  await turns(4);
  broken = true;
  await memory.startOver(JOB);
  await turns(50);
  expect(asked).toBe(1);
  await hub.clock.forward(1200, 25);
  expect(asked).toBe(5);
  expect(reader.story.at(-1)).toBe('state 0-0 {"value":null}');
});
