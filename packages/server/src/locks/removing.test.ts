import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { expect, test } from "vitest";
import { aHub } from "../testing/a-hub.js";

const NAME = parseChannelName("order:42");
const taken = {
  check() {
    throw new FanfareError("forbidden", "the grant was taken away");
  },
};

test("nothing is removed or freed where the grant was taken away while it had to wait", async () => {
  const { hub, locks, sequences } = aHub();
  const held = await locks.take(NAME, { leaseSeconds: 60 });
  await sequences.next(NAME, {});
  const changing = hub.changeState(NAME, { value: { n: 1 } });
  const refused = { code: "forbidden" };
  await expect(hub.remove(NAME, taken)).rejects.toMatchObject(refused);
  await expect(sequences.remove(NAME, taken)).rejects.toMatchObject(refused);
  await expect(locks.break(NAME, taken)).rejects.toMatchObject(refused);
  await changing;
  expect((await hub.state(NAME))?.json).toBe('{"n":1}');
  expect(await sequences.last(NAME)).toBe(1);
  expect(await locks.look(NAME)).toMatchObject({ record: { token: held.token, holder: {} } });
});

test("a channel is removed after the changes of its state that were asked for before", async () => {
  const { hub } = aHub();
  const changes = [hub.changeState(NAME, { value: { n: 1 } }), hub.changeState(NAME, { patch: { n: 2 } })];
  expect(await hub.remove(NAME)).toBe(true);
  const after = await hub.changeState(NAME, { patch: { m: 1 } });
  const epochs = (await Promise.all(changes)).map(({ epoch }) => epoch);
  expect(epochs[0]).toBe(epochs[1]);
  expect(after.epoch).not.toBe(epochs[0]);
  expect((await hub.state(NAME))?.json).toBe('{"m":1}');
});
