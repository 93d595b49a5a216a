/** Which nodes share an engine, and what they answer. */
import { hostname } from "node:os";
import { expect, onTestFinished, test } from "vitest";
import { VERSION } from "../base/package.js";
import type { Engine } from "../engine/engine.js";
import { HostileEngine } from "../engine/hostile/hostile-engine.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { aHub } from "../testing/a-hub.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { AllConnections } from "./all-connections.js";
import { Nodes } from "./nodes.js";

async function aNode(engine: Engine, clock: FakeClock) {
  const node = aHub({ engine, clock });
  const nodes = new Nodes(node.hub);
  const allConnections = new AllConnections(node.hub, nodes);
  onTestFinished(() => nodes.close());
  await turns(2);
  return { ...node, name: node.hub.node, nodes, allConnections };
}

function anEngine() {
  const clock = new FakeClock();
  return { clock, memory: new MemoryEngine({ clock, allowIsolated: true }) };
}

const namesOf = async ({ nodes }: { nodes: Nodes }) => (await nodes.list()).map(({ node }) => node).sort();

test("all nodes know each other, with version and address, and no longer one that has ended", async () => {
  const { clock, memory } = anEngine();
  const [one, two] = [await aNode(memory, clock), await aNode(memory, clock)];
  const names = [one.name, two.name].sort();
  expect([await namesOf(one), await namesOf(two)]).toEqual([names, names]);
  expect(await one.nodes.list()).toContainEqual({
    ...{ node: two.name, version: VERSION, address: `${hostname()}:${process.pid}` },
  });
  two.nodes.close();
  await turns();
  expect(await namesOf(one)).toEqual([one.name]);
});

test("a node that ends without a word is known for 15 seconds by the engine's time, then its lease is taken away", async () => {
  const { clock, memory } = anEngine();
  const gone = await aNode(memory, new FakeClock());
  const one = await aNode(memory, clock);
  await clock.forward(14_999, 5000);
  expect(await namesOf(one)).toEqual([gone.name, one.name].sort());
  await clock.forward(1);
  expect(await namesOf(one)).toEqual([one.name]);
  await clock.forward(20_000, 5000);
  const leases = await memory.space("nodes", { volatile: true }).list(null, 10);
  expect(leases.map(({ key }) => key)).toEqual([one.name]);
});

test("a question is answered as soon as all have answered, the node that asks included", async () => {
  const { clock, memory } = anEngine();
  const all = [await aNode(memory, clock), await aNode(memory, clock), await aNode(memory, clock)] as const;
  for (const [index, { nodes }] of all.entries()) {
    nodes.answer(
      "sum",
      index === 1 ? async (number) => Number(number) + 1 : (number) => Number(number) + index,
    );
  }
  const { answers, silent } = await all[0].nodes.ask("sum", 40);
  expect(silent).toEqual([]);
  expect(answers.map(({ answer }) => answer).sort()).toEqual([40, 41, 42]);
  expect(new Set(answers.map(({ node }) => node)).size).toBe(3);
});

test("after a second the nodes are named that did not answer: one that throws, and one that nobody reaches", async () => {
  const { clock, memory } = anEngine();
  const one = await aNode(memory, clock);
  const throws = await aNode(memory, clock);
  const deaf = await aNode(new HostileEngine(memory, { clock, random: () => 0, drop: 1 }), clock);
  one.nodes.answer("how", () => "well");
  throws.nodes.answer("how", () => {
    throw new TypeError("a bug");
  });
  deaf.nodes.answer("how", () => "well, too");
  const asking = one.nodes.ask("how", null);
  let answered = false;
  void asking.then(() => {
    answered = true;
  });
  await turns();
  await clock.forward(999);
  expect(answered).toBe(false);
  await clock.forward(1);
  const { answers, silent } = await asking;
  expect(answers).toEqual([{ node: one.name, answer: "well" }]);
  expect(silent.map(({ node }) => node).sort()).toEqual([throws.name, deaf.name].sort());
  expect(throws.hub.failures.counts.background).toBe(1);
});

test("a lease is written again after calls failed and answers got lost", async () => {
  const { clock, memory } = anEngine();
  let chance = 0.9;
  const engine = new HostileEngine(memory, { clock, random: () => chance, fail: 0.6 });
  const [one, other] = [await aNode(engine, clock), await aNode(memory, clock)];
  for (const next of [0.55, 0.9, 0.1, 0.9, 0.55, 0.9, 0.9]) {
    chance = next;
    await clock.forward(5000);
  }
  expect(await namesOf(other)).toEqual([one.name, other.name].sort());
});

test("an engine in one process writes no lease to the disk", async () => {
  const { clock, memory } = anEngine();
  await aNode(memory, clock);
  expect(await memory.space("nodes", { volatile: true }).list(null, 10)).toHaveLength(1);
});

test("a client is sent away on whatever node it is, and none is found only where all have answered", async () => {
  const { clock, memory } = anEngine();
  const [one, two] = [await aNode(memory, clock), await aNode(memory, clock)];
  const client = two.open();
  expect(await one.allConnections.disconnect(client.connection.id)).toBe(true);
  expect(client.ended).toBe("disconnected");
  expect(await one.allConnections.disconnect("nobody")).toBe(false);

  await aNode(new HostileEngine(memory, { clock, random: () => 0, drop: 1 }), clock);
  const asking = one.allConnections.disconnect("nobody").catch((error: unknown) => error);
  await turns();
  await clock.forward(1000);
  expect(await asking).toMatchObject({
    ...{
      code: "unavailable",
      retryAfterSeconds: 15,
      message: expect.stringContaining(`${hostname()}:${process.pid}`),
    },
  });
});

test("connections are listed page by page over all nodes, and a node that does not answer is named", async () => {
  const { clock, memory } = anEngine();
  const [one, two] = [await aNode(memory, clock), await aNode(memory, clock)];
  const clients = [one, two, two, one, two].map((node) => node.open().connection.id);
  const pages = [await one.allConnections.list(null, 2)];
  for (let next = pages[0]?.next; next; next = pages.at(-1)?.next)
    pages.push(await one.allConnections.list(next, 2));
  const listed = pages.flatMap(({ connections }) => connections.map(({ connection }) => connection));
  expect(listed).toEqual(clients.sort());
  expect(pages.map(({ silent }) => silent)).toEqual([[], [], []]);
  expect(await one.allConnections.look(clients[0] ?? "")).toMatchObject({
    connection: clients[0],
    channels: [],
  });
  expect(await one.allConnections.look("nobody")).toBeNull();

  await aNode(new HostileEngine(memory, { clock, random: () => 0, drop: 1 }), clock);
  const asking = one.allConnections.list(null, 10);
  await turns();
  await clock.forward(1000);
  const { connections, silent } = await asking;
  expect(connections).toHaveLength(5);
  expect(silent).toEqual([`${hostname()}:${process.pid}`]);
});

test("an ask that waits ends when its node is closed", async () => {
  const { clock, memory } = anEngine();
  const one = await aNode(memory, clock);
  const two = await aNode(memory, clock);
  const asking = one.nodes.ask("nothing", 1);
  await turns();
  one.nodes.close();
  expect((await asking).silent.map(({ node }) => node)).toEqual([two.name]);
});
