import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { systemRandom } from "../../base/clock.js";
import { FakeClock } from "../../testing/fake-clock.js";
import { NO_GRANTS } from "../grants/grants.js";
import { Meter } from "./meter.js";
import { type RateOptions, rateSettings } from "./rate-options.js";
import { Rates } from "./rates.js";
import { Refusals } from "./refusals.js";

const NONE: RateOptions = Object.fromEntries(Object.keys(rateSettings()).map((name) => [name, 0]));

function ratesOf(options: RateOptions) {
  const clock = new FakeClock();
  const refusals = new Refusals();
  return {
    clock,
    refusals,
    rates: new Rates(rateSettings({ ...NONE, ...options }), clock, systemRandom, refusals),
  };
}

const nobody = { kind: "nobody", grants: NO_GRANTS } as const;
const at = (rates: Rates, line: string) => ({
  address: rates.addressOf(line),
  user: null,
  owner: `address ${line}`,
});

describe("a connection that goes on as another user", () => {
  test("counts from then on for that one, and what it did before for the other", () => {
    const { rates } = ratesOf({ publishesPerUser: 100 });
    const as = (user: string) => ({ address: null, user, owner: `user ${user}` });
    const meter = new Meter(rates, as("alice"));
    const publish = (times: number) => {
      for (let count = 0; count < times; count++) expect(meter.publish()).toBeNull();
    };
    const isOver = (user: string) => rates.check("publishes", as(user)) !== null;
    publish(99);
    meter.goOnAs(as("bob"));
    publish(100);
    expect([isOver("alice"), isOver("bob")]).toEqual([false, true]);
    meter.goOnAs(as("alice"));
    publish(1);
    meter.goOnAs(null);
    expect(isOver("alice")).toBe(true);
  });
});

test("a connection that goes on as another user tells of each thing once", () => {
  const { rates } = ratesOf({ publishesPerUser: 100 });
  const as = (user: string) => ({ address: null, user, owner: `user ${user}` });
  const meter = new Meter(rates, as("alice"));
  const users = ["alice", "bob", "carol"];
  for (const user of users) {
    meter.goOnAs(as(user));
    for (let count = 0; count < 99; count++) expect(meter.publish()).toBeNull();
  }
  meter.goOnAs(null);
  const over = () => users.filter((user) => rates.check("publishes", as(user)) !== null);
  expect(over()).toEqual([]);
  for (const user of users) rates.count("publishes", as(user));
  expect(over()).toEqual(users);
});

test.each([
  ["framesPerConnection", (meter: Meter) => meter.frame()],
  ["subscriptionsPerConnection", (meter: Meter) => meter.subscription()],
  ["publishesPerConnection", (meter: Meter) => meter.publish()],
  ["readsPerConnection", (meter: Meter) => meter.read()],
] as const)("%s bounds what one connection does of this kind, and of no other", (name, act) => {
  const { clock, rates } = ratesOf({ [name]: 3 });
  const meter = new Meter(rates, null);
  const others = (other: Meter) => [other.frame(), other.subscription(), other.publish(), other.read()];
  for (let count = 0; count < 3; count++) expect(act(meter)).toBeNull();
  for (let count = 0; count < 3; count++) expect(act(meter)?.message).toContain(name);
  expect(others(meter).filter((refusal) => refusal !== null)).toHaveLength(1);
  expect(others(new Meter(rates, null))).toEqual([null, null, null, null]);
  clock.advance(10_000);
  for (let count = 0; count < 3; count++) expect(act(meter)).toBeNull();
  expect(act(meter)).not.toBeNull();
});

test("a call that cost nothing beyond itself gives nothing back", () => {
  const { rates } = ratesOf({ readsPerConnection: 3, readsPerUser: 100 });
  const meter = new Meter(rates, { address: null, user: "a place", owner: "user alice" });
  for (let count = 0; count < 3; count++) {
    expect(meter.read()).toBeNull();
    for (const more of [0, -10]) meter.readMore(more);
  }
  expect(meter.read()).not.toBeNull();
});

describe("what a connection reads", () => {
  const rate = { readsPerConnection: 10 };

  test("may be more than the rate allows where that is known only afterwards; then the next call waits for it", () => {
    const { clock, rates } = ratesOf(rate);
    const meter = new Meter(rates, null);
    expect(meter.read()).toBeNull();
    meter.readMore(29);
    const refusal = meter.read();
    expect(refusal?.message).toContain("readsPerConnection");
    expect(refusal?.retryAfterSeconds).toBeCloseTo(21, 0);
    clock.advance(20_000);
    expect(meter.read()).not.toBeNull();
    clock.advance(1001);
    expect(meter.read()).toBeNull();
  });

  test("counts for its user, too", () => {
    const { rates } = ratesOf({ readsPerUser: 10 });
    const party = { address: null, user: "a place", owner: "user alice" };
    const meter = new Meter(rates, party);
    meter.readMore(10);
    expect(new Meter(rates, party).read()?.message).toContain("readsPerUser");
  });
});

describe("the rate of an address", () => {
  test("is what it may do at once; then it waits until the 10 seconds are over", () => {
    const { clock, rates } = ratesOf({ connectsPerAddress: 3 });
    const party = at(rates, "192.0.2.1");
    const connect = () => rates.take("connects", party);
    expect([connect(), connect(), connect()]).toEqual([null, null, null]);
    clock.advance(9000);
    const refusal = connect();
    expect(refusal).toMatchObject({
      code: "rate_limited",
      message: expect.stringContaining("connectsPerAddress"),
    });
    expect(refusal?.retryAfterSeconds).toBe(1);
    expect(rates.take("connects", at(rates, "192.0.2.2"))).toBeNull();
    expect(rates.take("publishes", party)).toBeNull();
    clock.advance(1000);
    expect([connect(), connect(), connect()]).toEqual([null, null, null]);
    expect(connect()?.retryAfterSeconds).toBe(10);
  });

  test("is another than that of a user, and both hold", () => {
    const { rates } = ratesOf({ publishesPerAddress: 2, publishesPerUser: 1 });
    const user = {
      kind: "user",
      user: "alice",
      grants: NO_GRANTS,
      own: [],
      general: [],
      token: null,
      issued: 0,
      known: 0,
      expires: null,
    } as const;
    const alice = rates.partyOf({ address: "192.0.2.1", line: "192.0.2.1" }, user);
    const elsewhere = rates.partyOf({ address: "192.0.2.2", line: "192.0.2.2" }, user);
    const somebody = rates.partyOf({ address: "192.0.2.1", line: "192.0.2.1" }, nobody);
    if (!alice || !elsewhere || !somebody) throw new Error("somebody is not limited");
    expect(rates.take("publishes", alice)).toBeNull();
    expect(rates.take("publishes", elsewhere)?.message).toContain("publishesPerUser");
    expect(rates.take("publishes", somebody)).toBeNull();
    expect(rates.take("publishes", somebody)?.message).toContain("publishesPerAddress");
  });

  test("does not count for API keys, nor for this machine", () => {
    const { rates } = ratesOf({});
    const key = { kind: "key", key: "shop", hash: "", grants: NO_GRANTS } as const;
    expect(rates.partyOf({ address: "192.0.2.1", line: "192.0.2.1" }, key)).toBeNull();
    expect(rates.partyOf({ address: "127.0.0.1", line: null }, nobody)).toBeNull();
  });

  test("is kept in a bounded number of places", () => {
    const { rates } = ratesOf({});
    fc.assert(fc.property(fc.string(), (line) => /^[0-9a-f]{4}$/.test(rates.addressOf(line) ?? "")));
  });
});

describe("the rate of a connection", () => {
  test("never lets through more than the rate in any 10 seconds beyond a first burst, and always the rate", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 40 })), {
          maxLength: 30,
        }),
        (rate, story) => {
          const { clock, rates } = ratesOf({ framesPerConnection: rate });
          const meter = new Meter(rates, null);
          const begin = clock.monotonic();
          let through = 0;
          for (const [afterMs, frames] of story) {
            clock.advance(afterMs);
            for (let frame = 0; frame < frames; frame++) if (meter.frame() === null) through++;
            const allowed = rate + (rate * (clock.monotonic() - begin)) / 10_000;
            expect(through).toBeLessThanOrEqual(allowed + 0.001);
          }
          clock.advance(10_000);
          for (let frame = 0; frame < rate; frame++) expect(meter.frame()).toBeNull();
          expect(meter.frame()).not.toBeNull();
        },
      ),
    );
  });

  test("says when to come back, and then there is room", () => {
    const { clock, rates } = ratesOf({ framesPerConnection: 7 });
    const meter = new Meter(rates, null);
    for (let frame = 0; frame < 7; frame++) meter.frame();
    const wait = meter.frame()?.retryAfterSeconds ?? 0;
    expect(wait).toBeGreaterThan(0);
    clock.advance(wait * 1000);
    expect(meter.frame()).toBeNull();
  });

  test("is tolerated to be exceeded for 10 seconds, not for longer, and anew after a pause", () => {
    const { clock, rates } = ratesOf({ framesPerConnection: 1 });
    const meter = new Meter(rates, null);
    const refused = () => {
      while (meter.frame() === null);
      return meter.tolerated;
    };
    expect(refused()).toBe(true);
    clock.advance(9000);
    expect(refused()).toBe(true);
    clock.advance(1000);
    expect(refused()).toBe(false);
    clock.advance(10_001);
    expect(refused()).toBe(true);
  });

  test("tells users and addresses, so that many connections together are refused what each alone may", () => {
    const { rates } = ratesOf({ framesPerConnection: 100, framesPerAddress: 150 });
    const meters = [1, 2].map(() => new Meter(rates, at(rates, "192.0.2.1")));
    let through = 0;
    for (const meter of meters) {
      for (let frame = 0; frame < 100; frame++) {
        if (meter.frame() === null) through++;
      }
    }
    expect(through).toBeGreaterThanOrEqual(150);
    expect(through).toBeLessThan(156);
    expect(new Meter(rates, at(rates, "192.0.2.2")).frame()).toBeNull();
  });
});

test.each([{ frames: 1 }, { framesPerUser: -1 }, { framesPerUser: 1.5 }, { framesPerUser: Number.NaN }])(
  "%o is refused",
  (options) => {
    expect(() => rateSettings(options as RateOptions)).toThrow(TypeError);
  },
);
