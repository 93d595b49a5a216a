import { describe, expect, test } from "vitest";
import { TimingWheel } from "../../base/timing-wheel.js";
import { FakeClock } from "../../testing/fake-clock.js";
import { Liveness } from "./liveness.js";

function aliveness(fraction = 0.5) {
  const clock = new FakeClock();
  const wheel = new TimingWheel(clock);
  const liveness = new Liveness(wheel, { bytes: () => new Uint8Array(), fraction: () => fraction });
  const after = (seconds: number) => clock.advance(seconds * 1000);
  const look = (waitingBytes = 0, reading = true) => liveness.look(wheel.now, waitingBytes, reading);
  return { liveness, after, look };
}

describe("liveness", () => {
  test.each([
    [0, 22_500],
    [0.5, 25_000],
    [0.999, 27_495],
  ])("with the random number %d asks for a sign of life after %d ms", (fraction, ms) => {
    const { after, look } = aliveness(fraction);
    expect(look().lookAt).toBeCloseTo(ms);
    after(28);
    expect(look()).toMatchObject({ ping: true, due: true, deadForMs: null });
  });

  test("is over after 40 seconds without a byte", () => {
    const { after, look } = aliveness();
    after(39);
    expect(look().deadForMs).toBeNull();
    after(1);
    expect(look().deadForMs).toBe(40_000);
  });

  test("counts from the last byte that came", () => {
    const { liveness, after, look } = aliveness();
    after(30);
    liveness.heard();
    after(39);
    expect(look().deadForMs).toBeNull();
    after(1);
    expect(look().deadForMs).toBe(40_000);
  });

  test.each([
    ["nothing is read from the client", 0, false],
    ["something waits for it", 1, true],
  ])(
    "while %s lasts five minutes from the last byte that was taken, and asks for nothing",
    (_, waiting, reading) => {
      const { liveness, after, look } = aliveness();
      after(20);
      liveness.heard();
      liveness.accepted();
      for (let passed = 0; passed < 299; passed += 13) {
        const { deadForMs, ping } = look(waiting, reading);
        expect({ deadForMs, ping }).toEqual({ deadForMs: null, ping: false });
        after(13);
        liveness.heard();
      }
      after(1);
      expect(look(waiting, reading).deadForMs).toBe(300_000);
    },
  );

  test("a client that takes a little has five minutes more", () => {
    const { after, look } = aliveness();
    look(1000);
    after(299);
    expect(look(999).deadForMs).toBeNull();
    after(299);
    expect(look(999).deadForMs).toBeNull();
    after(1);
    expect(look(999).deadForMs).toBe(300_000);
  });

  test("a client that took what waited is asked at once, and has 40 seconds to be heard", () => {
    const { liveness, after, look } = aliveness();
    look(1000);
    after(200);
    look(1000);
    after(50);
    liveness.accepted();
    expect(look()).toMatchObject({ deadForMs: null, ping: true });
    after(39);
    expect(look().deadForMs).toBeNull();
    after(1);
    expect(look().deadForMs).toBe(40_000);
  });
});
