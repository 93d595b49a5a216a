/** What goes on after a revocation that could not be told or written. */
import { expect, test } from "vitest";
import { Failures } from "../../base/failures.js";
import { silentLog } from "../../base/log.js";
import { MemorySpace } from "../../engine/memory/memory-space.js";
import { FakeClock, turns } from "../../testing/fake-clock.js";
import { Lines } from "../../testing/lines.js";
import { Revoking } from "./revoking.js";
import { AccessStore } from "./store.js";

/** Other nodes can be told nothing. */
function revoking() {
  const clock = new FakeClock();
  const asked: (() => void)[] = [];
  const signals = {
    send: () => new Promise<void>((_, failed) => void asked.push(() => failed(new Error("gone")))),
    on: () => () => {},
  };
  const engine = { signals };
  const revoking = new Revoking({
    store: new AccessStore({ space: new MemorySpace(() => {}), clock, log: silentLog }),
    engine,
    failures: new Failures(),
    clock,
    log: new Lines(),
    count: () => 1,
    tell: () => {},
  });
  return { revoking, clock, asked };
}

test("what could not be told to other nodes is told again after a while", async () => {
  const { revoking: tested, clock, asked } = revoking();
  const answer = tested.revoke({ tokens: [{ id: "t", until: clock.now() + 1000 }], users: [] });
  asked[0]?.();
  expect(await answer).toEqual({ pending: true });
  clock.advance(2000);
  await turns(3);
  expect(asked).toHaveLength(2);
});

test("a revocation that is under way when the server closes is not tried again after that", async () => {
  const { revoking: tested, clock, asked } = revoking();
  const answer = tested.revoke({ tokens: [{ id: "t", until: clock.now() + 1000 }], users: [] });
  tested.close();
  asked[0]?.();
  expect(await answer).toEqual({ pending: true });
  clock.advance(10_000);
  await turns(3);
  expect(asked).toHaveLength(1);
});
