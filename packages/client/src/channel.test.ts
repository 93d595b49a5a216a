import { describe, expect, test } from "vitest";
import { Channel, type SubscribedFrame } from "./channel.js";
import { Listener } from "./listener.js";
import { EPOCH, LATER_EPOCH } from "./testing/scripted-server.js";
import type { Position } from "./types.js";

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
  id: 1,
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
  channel.refused(new Error("over"));
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

test("whatever comes next calls off the next try after a refusal", () => {
  const channel = new Channel("news");
  let cancelled = 0;
  channel.refused(new Error("later"), () => cancelled++);
  channel.disconnected();
  channel.wanted();
  expect(cancelled).toBe(1);
});
