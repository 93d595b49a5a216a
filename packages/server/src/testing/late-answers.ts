/** An engine for tests whose answers are true when they are made, and arrive some turns of the event loop later. */
import type { Engine } from "../engine/engine.js";
import { changedEngine } from "./changed-engine.js";
import { turns } from "./fake-clock.js";

export function lateAnswers(inner: Engine, lateTurns: () => number): Engine {
  const late = async <Answer>(answering: Promise<Answer>): Promise<Answer> => {
    const count = lateTurns();
    try {
      return await answering;
    } finally {
      await turns(count);
    }
  };
  const { logs } = inner;
  return changedEngine(inner, {
    logs: {
      append: (channel, draft, retention) => late(logs.append(channel, draft, retention)),
      state: (channel) => late(logs.state(channel)),
      listen: (channel, listener) => late(logs.listen(channel, listener)),
      read: (channel, after, limit) => late(logs.read(channel, after, limit)),
      heads: (channels) => late(logs.heads(channels)),
      list: (after, limit) => late(logs.list(after, limit)),
    },
  });
}
