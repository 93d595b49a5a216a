/** Long answers let others come between: what they do is done in slices, each in a turn of the event loop of its own. */
import { expect, test } from "vitest";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { Client } from "../doors/client.js";
import { serve } from "../library/serve.js";

/** Whenever somebody looks at it, more time has passed than a slice takes. */
class HurriedClock extends FakeClock {
  turns = 0;
  whenTurned = () => {};
  #ms = 0;

  override monotonic(): number {
    this.#ms += 5;
    return super.monotonic() + this.#ms;
  }

  override endOfTurn(call: () => void): void {
    this.turns++;
    this.whenTurned();
    super.endOfTurn(call);
  }
}

const MANY = 30;
const NUMBERS = Array.from({ length: MANY }, (_, number) => number);

async function serving() {
  const clock = new HurriedClock();
  const authorize = ({ token }: { token: string | undefined }) =>
    token === undefined ? null : { user: token, grants: [{ channels: "**", actions: ["*"] as const }] };
  const rules = [{ channels: "room", presence: true, history: 100 }];
  const served = await serve({ clock, authorize, rules });
  /** How many turns an answer takes. */
  const turnsOf = async (path: string) => {
    const before = clock.turns;
    const answer = await fetch(`${served.base}${path}`);
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
    return clock.turns - before;
  };
  return { ...served, clock, turnsOf };
}

test.each([
  "/channels?limit=1",
  "/owners?limit=1",
  "/owners?by=connections&limit=1",
  "/connections?limit=1",
  "/channels/room/presence?limit=1",
  "/metrics",
])("%s goes through what there is in slices", async (path) => {
  const { turnsOf, port } = await serving();
  const few = await turnsOf(path);
  for (const number of NUMBERS) {
    const client = await Client.open(`ws://127.0.0.1:${port}/push`);
    await client.connect({ token: `user${number}` });
    await client.ask({ type: "publish", channel: `c:${number}`, data: 1 });
    await client.subscribe("room");
  }
  expect(await turnsOf(path)).toBeGreaterThanOrEqual(few + MANY);
});

test.each([
  ["of messages", (list: readonly number[]) => ({ messages: list.map((data) => ({ channel: "c", data })) })],
  ["to many channels", (list: readonly number[]) => ({ channels: list.map(() => "c"), data: 1 })],
])("a batch %s is checked and appended in slices, whole and in order", async (_, bodyOf) => {
  const { base, clock, fanfare } = await serving();
  const publish = async (count: number) => {
    const before = clock.turns;
    const headers = { "Content-Type": "application/json", Authorization: "Bearer alice" };
    const answer = await fetch(`${base}/messages`, {
      method: "POST",
      headers,
      body: JSON.stringify(bodyOf(NUMBERS.slice(0, count))),
    });
    const { results } = await answer.json();
    const offsets = results.map(({ offset }: { offset: number }) => offset);
    expect(offsets).toEqual(offsets.map((_: number, index: number) => offsets[0] + index));
    expect(offsets).toHaveLength(count);
    return clock.turns - before;
  };
  const few = await publish(1);
  // Once for each to check it, and once to append it.
  expect(await publish(MANY)).toBeGreaterThanOrEqual(few + 2 * (MANY - 2));
  const { messages } = await fanfare.history("c");
  const written = bodyOf(NUMBERS);
  const data = "messages" in written ? NUMBERS : NUMBERS.map(() => 1);
  expect(messages.map((each) => each.data)).toEqual([data[0], ...data]);
});

test("a history passes over changes of the state in slices", async () => {
  const { turnsOf, fanfare } = await serving();
  await fanfare.publish("room", 1);
  const few = await turnsOf("/channels/room/messages");
  for (const number of NUMBERS)
    await fanfare.states.patch("room", { large: `${number} ${"x".repeat(60_000)}` });
  // 1.8 MB, of which one slice reads 1 MiB.
  expect(await turnsOf("/channels/room/messages")).toBeGreaterThan(few);
});

test("a caller who is logged out between two messages of a batch appends no more of them", async () => {
  const { base, clock, fanfare } = await serving();
  let turns = 0;
  const appended: number[] = [];
  clock.whenTurned = () => {
    if (++turns === MANY + 10) void fanfare.logOut("alice");
  };
  const answer = await fetch(`${base}/messages`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: "Bearer alice" },
    body: JSON.stringify({ messages: NUMBERS.map((data) => ({ channel: "c", data })) }),
  });
  const { results } = await answer.json();
  for (const { offset, code } of results) {
    if (offset) appended.push(offset);
    else expect(code).toBe("not_logged_in");
  }
  expect(appended.length).toBeGreaterThan(0);
  expect(appended.length).toBeLessThan(MANY);
  expect((await fanfare.history("c")).messages).toHaveLength(appended.length);
});
