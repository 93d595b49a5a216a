import { expect, test } from "vitest";
import { FanfareError } from "../../packages/server/src/index.js";
import { make } from "./serve.js";

test("messages are appended in order, each to its channel", async () => {
  const fanfare = make();
  const published = await fanfare.publishMany([
    { channel: "a", data: 1 },
    { channel: "b", event: "said", data: { text: "hi" }, id: "k" },
    { channel: "a", data: 2 },
  ]);
  const epoch = expect.stringMatching(/^[0-9a-f]{16}$/);
  expect(published).toEqual([
    { channel: "a", epoch, offset: 1 },
    { channel: "b", epoch, offset: 1 },
    { channel: "a", epoch, offset: 2 },
  ]);
  expect((await fanfare.history("b")).messages).toMatchObject([
    { event: "said", data: { text: "hi" }, id: "k" },
  ]);
  expect(await fanfare.publishMany([])).toEqual([]);
});

test("one message goes to many channels", async () => {
  const fanfare = make();
  const published = await fanfare.publishMany({ channels: ["a", "b"], event: "closing", data: 10 });
  expect(published).toMatchObject([
    { channel: "a", offset: 1 },
    { channel: "b", offset: 1 },
  ]);
  expect((await fanfare.history("b")).messages).toMatchObject([{ event: "closing", data: 10 }]);
});

test("when one is not valid, none is appended", async () => {
  const fanfare = make();
  await expect(
    fanfare.publishMany([
      { channel: "a", data: 1 },
      { channel: "a", data: Number.NaN },
    ]),
  ).rejects.toMatchObject({ code: "invalid_value" });
  await expect(fanfare.publishMany({ channels: ["a", "b c"], data: 1 })).rejects.toMatchObject({
    code: "invalid_channel",
  });
  expect((await fanfare.position("a")).offset).toBe(0);
});

test("what is refused alone is told, with what became of the others", async () => {
  const fanfare = make();
  await fanfare.publish("b", 0, { id: "k" });
  const refused = await fanfare
    .publishMany({ channels: ["a", "b", "c"], data: 1, id: "k" })
    .catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(FanfareError);
  expect(refused).toMatchObject({
    code: "id_reused",
    message: expect.stringMatching(/^1 of 3 messages were not appended; the first: /),
    results: [{ channel: "a", offset: 1 }, { code: "id_reused" }, { channel: "c", offset: 1 }],
  });
});
