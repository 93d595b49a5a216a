import { parseChannelName, type StateFrame } from "@fanfare/protocol";
import { describe, expect, test } from "vitest";
import { type Again, Channel, type SubscribedFrame } from "./channel.js";
import { ClientError } from "./client-error.js";
import { Listener } from "./listener.js";
import { EPOCH, LATER_EPOCH } from "./testing/scripted-server.js";
import type { Position, StateChange } from "./types.js";

const at = (offset: number, epoch = EPOCH): Position => ({ epoch, offset });
const host = { backOff: () => () => {}, gap: () => {}, error: () => {} };

/** A handler of the channel, and what it was told. */
function join(channel: Channel, since?: Position, onMessage: () => void = () => {}) {
  const told: (number | string)[] = [];
  const listener = new Listener(
    channel.name,
    ({ offset }) => {
      told.push(offset);
      onMessage();
    },
    {
      ...(since && { since }),
      onGap: ({ reason, from, to }) => told.push(`${reason} ${from}-${to}`),
      onError: (error) => told.push(error.message),
    },
    host,
  );
  channel.listeners.add(listener);
  return { told, listener };
}
const start = (frame: Partial<SubscribedFrame>): SubscribedFrame => ({
  request: 1,
  ...at(0),
  recovered: false,
  head: frame.offset ?? 0,
  ...frame,
});
function deliver(channel: Channel, ...offsets: number[]): void {
  for (const offset of offsets) {
    channel.deliver({
      type: "message",
      channel: channel.name,
      offset,
      time: 1,
      event: "message",
      data: null,
    });
  }
}
function ask(channel: Channel): Position | null {
  const { since } = channel;
  channel.asked(1, since);
  return since;
}

describe("the position to go on from", () => {
  test("is that of the handler that is furthest back", () => {
    const channel = new Channel("news");
    expect(channel.since).toBeNull();
    join(channel);
    expect(channel.since).toBeNull();
    for (const offset of [7, 3, 5]) join(channel, at(offset));
    expect(channel.since).toEqual(at(3));
  });

  test("is one in the log that was heard of last, where there are several", () => {
    const channel = new Channel("news");
    join(channel, at(9, LATER_EPOCH));
    join(channel, at(4));
    channel.asked(1, null);
    channel.subscribed(start(at(6)));
    join(channel, at(1, LATER_EPOCH));
    join(channel, at(2));
    expect(channel.since).toEqual(at(2));
  });
});

describe("a handler that joins a channel which is live", () => {
  test("begins where the channel is, and never with a message from before", () => {
    const channel = new Channel("news");
    const first = join(channel);
    ask(channel);
    channel.subscribed(start(at(2)));
    const second = join(channel);
    deliver(channel, 3);
    expect(channel.begin()).toBe(true);
    deliver(channel, 4);
    expect([first.told, second.told]).toEqual([[3, 4], [4]]);
    expect(second.listener.position).toEqual(at(4));
  });

  test("does not get what another one catches up with", () => {
    const channel = new Channel("news");
    const first = join(channel, at(2));
    ask(channel);
    channel.subscribed(start({ ...at(2), head: 5, recovered: true }));
    const second = join(channel);
    channel.begin();
    deliver(channel, 3, 4, 5, 6);
    expect([first.told, second.told]).toEqual([[3, 4, 5, 6], [6]]);
  });

  test("begins in the log that there is, also when the one before was longer", () => {
    const channel = new Channel("news");
    const first = join(channel);
    ask(channel);
    channel.subscribed(start(at(34)));
    channel.deliver({ type: "gap", epoch: LATER_EPOCH, from: 1, to: 0, reason: "epoch_changed" });
    const second = join(channel);
    channel.begin();
    deliver(channel, 1, 2);
    expect([first.told, second.told]).toEqual([
      ["epoch_changed null-null", 1, 2],
      [1, 2],
    ]);
    expect(second.listener.given).toEqual(at(2, LATER_EPOCH));
  });

  test("goes on from its position when the channel is not beyond that", () => {
    const channel = new Channel("news");
    join(channel, at(2));
    ask(channel);
    channel.subscribed(start({ ...at(2), head: 5, recovered: true }));
    const second = join(channel, at(3));
    expect(channel.begin()).toBe(true);
    deliver(channel, 3, 4);
    expect(second.told).toEqual([4]);
  });

  test("makes the channel ask again when it wants more, and nobody loses or repeats anything", () => {
    const channel = new Channel("news");
    const first = join(channel);
    ask(channel);
    channel.subscribed(start(at(5)));
    const second = join(channel, at(3));
    expect(channel.begin()).toBe(false);
    channel.wanted();
    expect(ask(channel)).toEqual(at(3));
    // On its way when the server was asked.
    deliver(channel, 6);
    channel.subscribed(start({ ...at(3), head: 6, recovered: true }));
    deliver(channel, 4, 5, 6, 7);
    expect([first.told, second.told]).toEqual([
      [6, 7],
      [4, 5, 6, 7],
    ]);
  });
});

describe("an answer", () => {
  test("to a question that a later handler would have asked otherwise is asked again", () => {
    const channel = new Channel("news");
    const first = join(channel);
    ask(channel);
    const second = join(channel, at(3));
    expect(channel.subscribed(start(at(8)))).toBe(false);
    deliver(channel, 9);
    channel.wanted();
    expect(ask(channel)).toEqual(at(3));
    expect(channel.subscribed(start({ ...at(3), head: 9, recovered: true }))).toBe(true);
    deliver(channel, 4, 8, 9, 10);
    expect(second.told).toEqual([4, 8, 9, 10]);
    expect(first.told).toEqual([10]);
  });

  test("that shows which log is the newer lets its handler go on, and tells the other why it cannot", () => {
    const channel = new Channel("news");
    const older = join(channel, at(3));
    const newer = join(channel, at(5, LATER_EPOCH));
    expect(ask(channel)).toEqual(at(3));
    expect(channel.subscribed(start({ ...at(9, LATER_EPOCH), reason: "forgotten" }))).toBe(false);
    channel.wanted();
    expect(ask(channel)).toEqual(at(5, LATER_EPOCH));
    expect(channel.subscribed(start({ ...at(5, LATER_EPOCH), head: 9, recovered: true }))).toBe(true);
    deliver(channel, 6, 7);
    expect(newer.told).toEqual([6, 7]);
    expect(older.told).toEqual(["forgotten null-null", 6, 7]);
  });

  test("that gives all there is to be had is not asked again", () => {
    const channel = new Channel("news");
    const first = join(channel, at(3));
    ask(channel);
    expect(channel.subscribed(start({ ...at(7), head: 9, reason: "evicted" }))).toBe(true);
    expect(first.told).toEqual(["evicted 4-7"]);
  });
});

test("frames are for us only between the answer and the end", () => {
  const channel = new Channel("news");
  const { told } = join(channel);
  deliver(channel, 1);
  ask(channel);
  deliver(channel, 2);
  channel.subscribed(start(at(2)));
  deliver(channel, 3);
  channel.disconnected();
  deliver(channel, 4);
  expect(channel.status.kind).toBe("wanted");
  ask(channel);
  channel.subscribed(start({ ...at(3), recovered: true }));
  channel.refused(new ClientError("forbidden", "over", ""), "grant");
  deliver(channel, 4);
  expect(told).toEqual([3, "over"]);
});

test("a handler that leaves, or brings another, in the middle of a delivery disturbs nobody", () => {
  const channel = new Channel("news");
  const first = join(channel, undefined, () => {
    first.listener.end();
    channel.listeners.delete(first.listener);
    channel.listeners.add(late.listener);
  });
  const second = join(channel);
  const late = join(channel);
  channel.listeners.delete(late.listener);
  ask(channel);
  channel.subscribed(start(at(0)));
  deliver(channel, 1);
  channel.begin();
  deliver(channel, 2);
  expect([first.told, second.told, late.told]).toEqual([[1], [1, 2], [2]]);
});

test("a refusal that passes is told once while it lasts, and one that stays each time", () => {
  const channel = new Channel("news");
  const { told } = join(channel);
  const refuse = (code: string, again: Again) => channel.refused(new ClientError(code, code, ""), again);
  for (let round = 0; round < 3; round++) refuse("rate_limited", "later");
  refuse("unavailable", "later");
  ask(channel);
  channel.subscribed(start(at(2)));
  refuse("unavailable", "later");
  refuse("forbidden", "grant");
  refuse("forbidden", "grant");
  expect(told).toEqual(["rate_limited", "unavailable", "unavailable", "forbidden", "forbidden"]);
});

describe("the state", () => {
  /** A handler of the channel, and the states that it was told: what it is, and what changed. */
  function watch(channel: Channel, since?: Position) {
    const told: unknown[] = [];
    const onState = ({ state, patch }: StateChange) => void told.push(patch ? [state, patch] : state);
    const options = { ...(since && { since }), onState, onGap: () => {} };
    const listener = new Listener(channel.name, () => {}, options, host);
    channel.listeners.add(listener);
    return { told, listener };
  }
  const change = (channel: Channel, frame: Omit<StateFrame, "type" | "channel">) =>
    channel.changed({ type: "state", channel: parseChannelName(channel.name), ...frame });
  const gap = (channel: Channel, from: number, to: number, epoch = EPOCH) =>
    channel.deliver({ type: "gap", epoch, from, to, reason: "too_slow" });

  test("is handed out as it is, then with each patch, and moves the position", () => {
    const channel = new Channel("a");
    const { told, listener } = watch(channel);
    channel.asked(1, null);
    channel.subscribed(start({ offset: 2, state: { done: 1 }, stateOffset: 2 }));
    change(channel, { from: 2, offset: 4, patch: { done: 2, note: "x" } });
    change(channel, { from: 4, offset: 5, patch: { note: null } });
    change(channel, { from: 5, offset: 6, value: null });
    expect(told).toEqual([
      { done: 1 },
      [
        { done: 2, note: "x" },
        { done: 2, note: "x" },
      ],
      [{ done: 2 }, { note: null }],
      null,
    ]);
    expect(listener.given).toEqual(at(6));
  });

  test("that changes while the channel is not heard is nothing to ask for: the answer will say it", () => {
    const channel = new Channel("a");
    const { told } = watch(channel);
    expect(change(channel, { from: 7, offset: 8, patch: { done: 2 } })).toBe(true);
    channel.asked(1, null);
    expect(change(channel, { from: 7, offset: 8, patch: { done: 2 } })).toBe(true);
    channel.subscribed(start({ offset: 8, state: { done: 2 }, stateOffset: 8 }));
    channel.disconnected();
    expect(change(channel, { from: 9, offset: 10, patch: { done: 3 } })).toBe(true);
    expect(told).toEqual([{ done: 2 }]);
  });

  test("that there is not is told nothing of, and one that comes into being is", () => {
    const channel = new Channel("a");
    const { told } = watch(channel);
    channel.asked(1, null);
    channel.subscribed(start({}));
    expect(told).toEqual([]);
    change(channel, { from: 0, offset: 1, patch: { done: null, of: 1 } });
    expect(told).toEqual([{ of: 1 }]);
    expect(channel.state).toEqual({ of: 1 });
  });

  test("is told whole to a handler that joins later", () => {
    const channel = new Channel("a");
    watch(channel);
    channel.asked(1, null);
    channel.subscribed(start({ state: { a: 1 }, stateOffset: 0 }));
    const { told } = watch(channel);
    channel.begin();
    change(channel, { from: 0, offset: 1, value: { b: 1 } });
    expect(told).toEqual([{ a: 1 }, { b: 1 }]);
  });

  test("takes no notice of changes that it has already", () => {
    const channel = new Channel("a");
    const { told, listener } = watch(channel, at(1));
    channel.asked(1, at(1));
    channel.subscribed(start({ ...at(1), recovered: true, head: 3, state: { a: 3 }, stateOffset: 3 }));
    change(channel, { from: 1, offset: 2, patch: { a: 2 } });
    expect(listener.given).toEqual(at(2));
    change(channel, { from: 2, offset: 4, patch: { a: 4 } });
    expect(told).toEqual([{ a: 3 }, [{ a: 4 }, { a: 4 }]]);
  });

  test("is not known after a gap until it is said again, which moves no position", () => {
    const channel = new Channel("a");
    const { told, listener } = watch(channel);
    channel.asked(1, null);
    channel.subscribed(start({ state: { a: 1 }, stateOffset: 0 }));
    gap(channel, 1, 10);
    expect(channel.lacksState(at(5))).toBe(true);
    expect(change(channel, { from: 9, offset: 11, patch: { b: 1 } })).toBe(true);
    expect(told).toEqual([{ a: 1 }]);
    change(channel, { from: 13, offset: 13, value: { a: 2, b: 1 } });
    expect(told).toEqual([{ a: 1 }, { a: 2, b: 1 }]);
    expect(listener.given).toEqual(at(11));
    expect(channel.lacksState(at(11))).toBe(false);
    change(channel, { from: 11, offset: 13, patch: { a: 2 } });
    expect(told).toHaveLength(2);
    expect(listener.given).toEqual(at(13));
  });

  test("of another log takes the place of the old one, and may be none", () => {
    const channel = new Channel("a");
    const { told } = watch(channel);
    channel.asked(1, null);
    channel.subscribed(start({ offset: 7, state: { a: 1 }, stateOffset: 7 }));
    gap(channel, 1, 0, LATER_EPOCH);
    change(channel, { from: 0, offset: 0, value: null });
    change(channel, { from: 0, offset: 1, patch: { b: 1 } });
    expect(told).toEqual([{ a: 1 }, null, { b: 1 }]);
  });

  test("that does not fit has to be asked for again", () => {
    const channel = new Channel("a");
    const { told } = watch(channel);
    channel.asked(1, null);
    channel.subscribed(start({ state: { a: 1 }, stateOffset: 0 }));
    expect(change(channel, { from: 3, offset: 4, patch: { a: 4 } })).toBe(false);
    expect(channel.lacksState(at(0))).toBe(true);
    expect(told).toEqual([{ a: 1 }]);
  });

  test("is kept while the connection is away, and asked for only where it may be older than the position", () => {
    const channel = new Channel("a");
    const { told } = watch(channel);
    channel.asked(1, null);
    channel.subscribed(start({ offset: 5, state: { a: 1 }, stateOffset: 4 }));
    channel.disconnected();
    expect(channel.lacksState(at(5))).toBe(false);
    expect(channel.lacksState(at(6))).toBe(true);
    channel.asked(2, at(5));
    channel.subscribed(start({ request: 2, ...at(5), recovered: true }));
    change(channel, { from: 4, offset: 6, patch: { a: 2 } });
    channel.disconnected();
    channel.asked(3, at(6));
    channel.subscribed(start({ request: 3, ...at(0, LATER_EPOCH), reason: "restarted" }));
    expect(told).toEqual([{ a: 1 }, [{ a: 2 }, { a: 2 }], null]);
  });
});
