import { expect, test } from "vitest";
import { TimingWheel } from "../../base/timing-wheel.js";
import { FakeClock } from "../../testing/fake-clock.js";
import { CLOSE_WITHIN_MS, CONNECT_WITHIN_MS, Lifetime, type Mortal } from "./lifetime.js";

function aLife(owesConnect = false) {
  const clock = new FakeClock();
  const told: string[] = [];
  const mortal: Mortal = {
    waitingBytes: 0,
    isReading: true,
    owesConnect,
    ping: () => void told.push("ping"),
    stillAlive: () => {},
    connectMissing: () => void told.push("connect is missing"),
    dead: () => void told.push("dead"),
    notGoneInTime: () => void told.push("not gone"),
    failedInside: () => void told.push("failed"),
  };
  const wheel = new TimingWheel(clock);
  const life = new Lifetime(mortal, wheel, { bytes: () => new Uint8Array(), fraction: () => 0.5 });
  return { life, told, clock };
}

test("a client that closes, and is told to close once more, has no more time than the first time gave it", async () => {
  const { life, told, clock } = aLife();
  life.closing();
  await clock.forward(CLOSE_WITHIN_MS - 500, 100);
  life.closing();
  expect(told).toEqual([]);
  await clock.forward(1000, 100);
  expect(told).toEqual(["not gone"]);
});

test("a client that is gone is asked for nothing more", async () => {
  const { life, told, clock } = aLife(true);
  life.closing();
  life.end();
  expect(life.isClosing).toBe(true);
  await clock.forward(2 * CONNECT_WITHIN_MS, 500);
  expect(told).toEqual([]);
});

test("a client that owes its connect is told so in time, and no sooner", async () => {
  const { told, clock } = aLife(true);
  await clock.forward(CONNECT_WITHIN_MS - 500, 100);
  expect(told).toEqual([]);
  await clock.forward(1000, 100);
  expect(told).toEqual(["connect is missing"]);
});
