import type { GapReason } from "@fanfare/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Listener } from "./listener.js";
import { EPOCH, LATER_EPOCH, settled } from "./testing/scripted-server.js";
import type { Gap, Message, Position, Subscribed, SubscribeOptions } from "./types.js";

const at = (offset: number, epoch = EPOCH): Position => ({ epoch, offset });

/** A listener, and everything that it calls, in order. */
function listen(options: SubscribeOptions = {}) {
  const told: (number | [GapReason, number | null, number | null])[] = [];
  const subscribed: Subscribed[] = [];
  const errors: Error[] = [];
  const retries: { failures: number; call: () => void }[] = [];
  const onGap = ({ reason, from, to }: Gap) => void told.push([reason, from, to]);
  const listener = new Listener(
    "news",
    ({ offset }) => void told.push(offset),
    {
      onGap,
      onSubscribed: (each) => void subscribed.push(each),
      onError: (error) => errors.push(error),
      ...options,
    },
    {
      backOff(failures, call) {
        const retry = { failures, call };
        retries.push(retry);
        return () => void (retries.includes(retry) && retries.splice(retries.indexOf(retry), 1));
      },
      gap: onGap,
      error: (error) => errors.push(error),
    },
  );
  return {
    listener,
    told,
    subscribed,
    errors,
    retries,
    begin: (offset: number, { head = offset, recovered = false, reason = null as GapReason | null } = {}) =>
      listener.subscribed(at(offset), head, recovered, reason),
    message: (...offsets: number[]) => {
      for (const offset of offsets) listener.deliver(message(offset), EPOCH);
    },
    gap: (from: number, to: number, reason: GapReason = "too_slow", epoch = EPOCH) =>
      listener.deliver({ type: "gap", epoch, from, to, reason }, epoch),
  };
}
const message = (offset: number): Message => ({
  type: "message",
  channel: "news",
  offset,
  time: 1,
  event: "message",
  data: offset,
});

const reported = vi.fn();
beforeEach(() => vi.stubGlobal("reportError", reported.mockClear()));
afterEach(() => vi.unstubAllGlobals());

describe("a handler", () => {
  test("gets what comes after its start, once", () => {
    const { begin, message, told, subscribed, listener } = listen();
    begin(3);
    message(3, 4, 4, 5, 2);
    expect(told).toEqual([4, 5]);
    expect(subscribed).toEqual([{ channel: "news", position: at(3), recovered: false, reason: null }]);
    expect(listener.position).toEqual(at(5));
  });

  test("goes on from its own position when another handler asked for more", () => {
    const { begin, message, told, subscribed } = listen({ since: at(10) });
    begin(5, { head: 20, recovered: true });
    message(6, 10, 11);
    expect(told).toEqual([11]);
    expect(subscribed[0]).toMatchObject({ recovered: true, reason: null });
  });

  test("gets no messages from before it came when it asked for no position, though another handler did", () => {
    const { begin, message, gap, told, listener, subscribed } = listen();
    begin(5, { head: 8, recovered: true });
    expect(subscribed).toMatchObject([{ position: at(8), recovered: false }]);
    expect(listener.given).toEqual(at(8));
    message(6, 7);
    expect(listener.position).toEqual(at(7));
    gap(8, 9);
    message(10);
    expect(told).toEqual([["too_slow", 9, 9], 10]);
  });

  test("misses nothing that it did not want when the log is shorter after a reconnect", () => {
    const { begin, message, told } = listen();
    begin(5, { head: 8 });
    message(6);
    begin(7, { head: 9, reason: "evicted" });
    message(8, 9);
    expect(told).toEqual([9]);
  });

  test("learns exactly what the log no longer holds", () => {
    const { begin, message, told, subscribed } = listen({ since: at(3) });
    begin(7, { head: 9, reason: "evicted" });
    message(8);
    expect(told).toEqual([["evicted", 4, 7], 8]);
    expect(subscribed[0]).toMatchObject({ recovered: false, reason: "evicted" });
  });

  test("learns that a log started over, and hears the new one from its first message", () => {
    const { begin, listener, told } = listen();
    begin(5);
    listener.subscribed(at(2, LATER_EPOCH), 2, false, "restarted");
    listener.deliver(message(3), LATER_EPOCH);
    expect(told).toEqual([["restarted", null, null], 3]);
  });

  test("does not take a log that became shorter for the one it knew", () => {
    const { begin, message, told, subscribed } = listen({ since: at(50) });
    begin(40, { reason: "restarted" });
    message(41);
    expect(told).toEqual([["restarted", null, null], 41]);
    expect(subscribed[0]).toMatchObject({ recovered: false, reason: "restarted" });
  });

  test("is told of a gap at its place, as far as it has not had it", () => {
    const { begin, message, gap, told, listener } = listen();
    begin(0);
    message(1, 2, 3);
    gap(2, 3);
    gap(2, 6);
    message(7);
    gap(1, 4, "epoch_changed", LATER_EPOCH);
    expect(told).toEqual([1, 2, 3, ["too_slow", 4, 6], 7, ["epoch_changed", null, null]]);
    expect(listener.position).toEqual(at(4, LATER_EPOCH));
  });

  test("is told of a new log of which nothing is missing", () => {
    const { begin, gap, listener, told } = listen();
    begin(5);
    gap(1, 0, "restarted", LATER_EPOCH);
    expect(told).toEqual([["restarted", null, null]]);
    expect(listener.position).toEqual(at(0, LATER_EPOCH));
  });

  test("that throws is reported, and gets the next message", () => {
    const heard: number[] = [];
    const { begin, listener } = listen();
    const bad = new Listener(
      "news",
      ({ offset }) => {
        heard.push(offset);
        throw new Error(`no ${offset}`);
      },
      {
        onSubscribed: () => {
          throw new Error("no subscribed");
        },
      },
      { backOff: () => () => {}, gap: () => {}, error: () => {} },
    );
    begin(0);
    bad.subscribed(at(0), 0, false, null);
    bad.deliver(message(1), EPOCH);
    bad.deliver(message(2), EPOCH);
    expect(heard).toEqual([1, 2]);
    expect(reported.mock.calls.map(([error]) => error.message)).toEqual(["no subscribed", "no 1", "no 2"]);
    expect(listener.position).toEqual(at(0));
  });

  test("hears nothing after its end: no message, no gap, no error", () => {
    const { begin, message, gap, listener, told, errors, subscribed } = listen();
    begin(0);
    listener.end();
    message(1);
    gap(2, 3);
    begin(9);
    listener.failed(new Error("no"));
    expect([told, errors, subscribed.length]).toEqual([[], [], 1]);
  });
});

describe("a snapshot", () => {
  /** Loads that the test resolves or rejects. */
  function loads() {
    const all: { done: () => void; fail: (error: unknown) => void }[] = [];
    const snapshot = () => new Promise<void>((done, fail) => all.push({ done, fail }));
    return { all, snapshot };
  }

  test("is loaded once the subscription stands; what arrives meanwhile follows it", async () => {
    const { all, snapshot } = loads();
    const { begin, message, told, listener } = listen({ snapshot });
    expect(all).toHaveLength(0);
    begin(3);
    await settled();
    message(4, 5);
    expect(told).toEqual([]);
    expect([listener.position, listener.given]).toEqual([at(5), at(3)]);
    all[0]?.done();
    await settled();
    message(6);
    expect(told).toEqual([4, 5, 6]);
    expect(listener.given).toEqual(at(6));
  });

  test("is loaded again after a gap, after the first load is over, and what waited is in it", async () => {
    const { all, snapshot } = loads();
    const { begin, message, gap, told } = listen({ snapshot });
    begin(0);
    await settled();
    message(1);
    gap(2, 4);
    message(5);
    await settled();
    expect(all, "two loads at once could be shown in the wrong order").toHaveLength(1);
    all[0]?.done();
    await settled();
    expect(all).toHaveLength(2);
    expect(told).toEqual([["too_slow", 2, 4]]);
    message(6);
    all[1]?.done();
    await settled();
    expect(told).toEqual([["too_slow", 2, 4], 6]);
  });

  test("is loaded again after a new start that is no recovery, not after one that is", async () => {
    const snapshot = vi.fn(async () => {});
    const { begin } = listen({ snapshot });
    begin(0);
    await settled();
    begin(0, { recovered: true });
    await settled();
    expect(snapshot).toHaveBeenCalledTimes(1);
    begin(5, { reason: "evicted" });
    await settled();
    expect(snapshot).toHaveBeenCalledTimes(2);
  });

  test("is not loaded when the page came with a position that holds", async () => {
    const snapshot = vi.fn(async () => {});
    const { begin, message, told } = listen({ snapshot, since: at(3) });
    begin(3, { recovered: true });
    message(4);
    await settled();
    expect(snapshot).not.toHaveBeenCalled();
    expect(told).toEqual([4]);
  });

  test("that fails is reported, and loaded again after a while that grows", async () => {
    const { all, snapshot } = loads();
    const { begin, message, told, errors, retries } = listen({ snapshot });
    begin(0);
    for (const failures of [1, 2]) {
      await settled();
      message(failures);
      all[failures - 1]?.fail(failures === 1 ? new Error("down") : "still down");
      await settled();
      expect(retries.map((retry) => retry.failures)).toEqual([failures]);
      retries[0]?.call();
    }
    await settled();
    message(3);
    all[2]?.done();
    await settled();
    expect(errors.map((error) => error.message)).toEqual(["down", "still down"]);
    expect(told).toEqual([3]);
  });

  test("that throws at once is the same as one that fails", async () => {
    const { begin, errors, retries } = listen({
      snapshot: () => {
        throw new Error("no");
      },
    });
    begin(0);
    await settled();
    expect([errors.length, retries.length]).toEqual([1, 1]);
  });

  test("that is still loading at the end, or waits to be loaded again, is forgotten", async () => {
    const first = loads();
    const leaver = listen({ snapshot: first.snapshot });
    leaver.begin(0);
    await settled();
    leaver.message(1);
    leaver.listener.end();
    first.all[0]?.done();
    await settled();
    expect(leaver.told).toEqual([]);

    const second = loads();
    const failing = listen({ snapshot: second.snapshot });
    failing.begin(0);
    await settled();
    second.all[0]?.fail(new Error("no"));
    await settled();
    failing.listener.end();
    expect(failing.retries).toEqual([]);
  });

  test("lets its own handler leave while what waited is handed out", async () => {
    const { all, snapshot } = loads();
    const heard: number[] = [];
    const listener: Listener = new Listener(
      "news",
      ({ offset }) => {
        heard.push(offset);
        listener.end();
      },
      { snapshot },
      { backOff: () => () => {}, gap: () => {}, error: () => {} },
    );
    listener.subscribed(at(0), 0, false, null);
    await settled();
    listener.deliver(message(1), EPOCH);
    listener.deliver(message(2), EPOCH);
    all[0]?.done();
    await settled();
    expect(heard).toEqual([1]);
  });

  test("does not hold more than it can: it is loaded again instead", async () => {
    const { all, snapshot } = loads();
    const { begin, message, told } = listen({ snapshot });
    begin(0);
    await settled();
    for (let offset = 1; offset <= 10_002; offset++) message(offset);
    all[0]?.done();
    await settled();
    message(10_003);
    all[1]?.done();
    await settled();
    expect(told).toEqual([10_003]);
  });

  test("keeps conflated gaps in their place, and is not loaded again for them", async () => {
    const { all, snapshot } = loads();
    const { begin, message, gap, told } = listen({ snapshot });
    begin(0);
    await settled();
    message(1);
    gap(2, 3, "conflated");
    message(4);
    all[0]?.done();
    await settled();
    expect(all).toHaveLength(1);
    expect(told).toEqual([1, ["conflated", 2, 3], 4]);
  });
});
