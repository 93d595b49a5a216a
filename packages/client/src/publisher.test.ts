import { describe, expect, test } from "vitest";
import { live, setUp } from "./testing/a-client.js";
import { EPOCH } from "./testing/scripted-server.js";

describe("publishing", () => {
  test("answers with the position", async () => {
    const { client, server } = await live();
    const published = client.publish("chat", { text: "hello" }, { event: "said", key: "k1" });
    const [frame] = server.socket.news();
    expect(frame).toMatchObject({
      type: "publish",
      channel: "chat",
      event: "said",
      data: { text: "hello" },
      key: "k1",
    });
    server.socket.say({ type: "ok", id: frame?.id, channel: "chat", epoch: EPOCH, offset: 9 });
    expect(await published).toEqual({ epoch: EPOCH, offset: 9 });
  });

  test("is refused without a connection, for what is no channel, and for what is no JSON", async () => {
    const { client } = setUp();
    await expect(client.publish("chat", 1)).rejects.toMatchObject({ code: "not_connected" });
    const connected = await live();
    await expect(connected.client.publish("a b", 1)).rejects.toMatchObject({ code: "invalid_channel" });
    await expect(connected.client.publish("chat", 1n)).rejects.toThrow(TypeError);
    await expect(connected.client.publish("chat", undefined)).rejects.toMatchObject({
      code: "invalid_value",
    });
    expect(connected.server.socket.news()).toEqual([]);
  });

  test("is rejected with the server's words", async () => {
    const { client, server } = await live();
    const published = client.publish("chat", 1);
    const id = server.socket.news()[0]?.id;
    server.socket.say({ type: "error", id, channel: "chat", code: "key_reused", message: "m", remedy: "r" });
    await expect(published).rejects.toMatchObject({ code: "key_reused", message: "m", remedy: "r" });
  });

  test.each([
    ["the connection is lost", ({ server }: Awaited<ReturnType<typeof live>>) => server.socket.lose()],
    ["the server falls silent", ({ clock }: Awaited<ReturnType<typeof live>>) => clock.advance(30_000)],
    ["the page closes the client", ({ client }: Awaited<ReturnType<typeof live>>) => client.close()],
    ["the page is left", ({ page }: Awaited<ReturnType<typeof live>>) => page.fire("pagehide")],
  ])("never stays open: when %s it is rejected", async (_when, end) => {
    const all = await live();
    const published = all.client.publish("chat", 1);
    end(all);
    await expect(published).rejects.toMatchObject({ code: "not_connected" });
  });
});
