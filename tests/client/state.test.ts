/** The state of a channel, from the server to the page, over real sockets. */
import { afterEach, expect, test } from "vitest";
import type { Client, StateChange } from "../../packages/client/src/index.js";
import { TcpProxy } from "./proxy.js";
import { clientOf, eventually, inState, Recorder, serve, urlOf } from "./world.js";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function server(...args: Parameters<typeof serve>) {
  const running = await serve(...args);
  cleanUps.push(() => running.close());
  return running;
}
function watch(url: string) {
  const client: Client = clientOf(url, { random: () => 0 });
  cleanUps.push(() => client.close());
  const changes = new Recorder<StateChange>();
  const subscription = client.subscribe("job:7", () => {}, { onState: changes.add, onGap: () => {} });
  return { client, changes, subscription };
}

test("a page that is opened late shows the present value at once, then each change", async () => {
  const { url, fanfare } = await server();
  await fanfare.states.patch("job:7", { done: 1, of: 3 });
  const { changes, subscription } = watch(url);
  expect(await changes.atLeast(1)).toEqual([{ channel: "job:7", state: { done: 1, of: 3 }, patch: null }]);
  await fanfare.states.patch("job:7", { done: 2 });
  expect((await changes.atLeast(2))[1]).toEqual({
    channel: "job:7",
    state: { done: 2, of: 3 },
    patch: { done: 2 },
  });
  expect(subscription.state).toEqual({ done: 2, of: 3 });
});

test("what changed while the connection was lost is made up for", async () => {
  const { port, fanfare } = await server({ rules: [{ channels: "job:*", history: 3 }] });
  const proxy = await TcpProxy.to(port);
  cleanUps.push(() => proxy.close());
  await fanfare.states.set("job:7", { done: 0, note: "x" });
  const { client, changes, subscription } = watch(urlOf(proxy.port));
  await changes.atLeast(1);
  for (const patches of [2, 20]) {
    const lost = inState(client, "reconnecting");
    proxy.cut();
    await lost;
    for (let done = 1; done <= patches; done++) await fanfare.states.patch("job:7", { done, note: null });
    await inState(client, "connected");
    await eventually(() => subscription.state?.done === patches, `${patches} were to be done`);
    expect(subscription.state).toEqual({ done: patches });
  }
});

test("with a rate and without one, watchers end with the same state", async () => {
  const { url, fanfare } = await server({ rules: [{ channels: "job:7", maxRate: 20 }] });
  const { changes, subscription } = watch(url);
  const steady = clientOf(url, { random: () => 0 });
  cleanUps.push(() => steady.close());
  const other = steady.subscribe("job:8", () => {});
  await fanfare.states.patch("job:7", { done: 0 });
  await changes.atLeast(1);
  for (let done = 1; done <= 200; done++) {
    const patch = done % 3 ? { done, part: { [`p${done % 5}`]: done } } : { done, part: null };
    await Promise.all([fanfare.states.patch("job:7", patch), fanfare.states.patch("job:8", patch)]);
  }
  const isDone = () => subscription.state?.done === 200 && other.state?.done === 200;
  await eventually(isDone, "both were to be done");
  expect(subscription.state).toEqual(other.state);
  expect(subscription.state).toEqual((await fanfare.states.get("job:7"))?.state);
  expect(changes.items.length).toBeLessThan(100);
});
