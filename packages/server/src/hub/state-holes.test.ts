/** The state of a channel after a hole in its log, as long as the engine has not said what it is. */
import { type ChannelName, parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import type { ChannelState } from "../engine/engine.js";
import { MemoryEngine } from "../engine/memory-engine.js";
import { aHub } from "../testing/a-hub.js";
import { turns } from "../testing/fake-clock.js";
import { ForwardingEngine } from "../testing/forwarding-engine.js";

const JOB = parseChannelName("job:1");

/** What it answers about states can be held back. */
class LateStates extends ForwardingEngine<MemoryEngine> {
  #answered = Promise.resolve();

  /** The channel's log starts over, and nothing is told of its state until what is answered here is called. */
  async startOverUntold(): Promise<() => void> {
    let answer = () => {};
    this.#answered = new Promise((done) => {
      answer = done;
    });
    await this.inner.startOver(JOB);
    await turns(4);
    return answer;
  }

  override async state(channel: ChannelName): Promise<ChannelState> {
    await this.#answered;
    return await super.state(channel);
  }
}

test.each([
  ["is written", {}],
  ["waits for its rate", { maxRate: 1 }],
])("whoever falls behind after a hole, while what follows %s, is told the state, too", async (_, rule) => {
  const engine = new LateStates(new MemoryEngine({ allowIsolated: true }));
  const hub = aHub({ rules: [{ channels: "job:1", ...rule }], engine });
  const reader = hub.open({ highWaterMark: 1 });
  hub.subscribe(reader, "job:1");
  await hub.hub.changeState(JOB, { patch: { a: 1 } });
  await turns(2);
  await hub.clock.forward(2000);
  reader.reading = "not";
  const answer = await engine.startOverUntold();
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
  const engine = new LateStates(new MemoryEngine({ allowIsolated: true }));
  const hub = aHub({ rules: [{ channels: "job:1", history: 0 }], engine });
  const reader = hub.open({ reading: "not", highWaterMark: 1 });
  hub.subscribe(reader, "job:1");
  await hub.hub.changeState(JOB, { patch: { a: 1 } });
  await turns(2);
  const answer = await engine.startOverUntold();
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
