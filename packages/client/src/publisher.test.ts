import { describe, expect, test } from "vitest";
import { live, setUp } from "./testing/a-client.js";
import { EPOCH, settled } from "./testing/scripted-server.js";

describe("publishing", () => {
  test("answers with the position", async () => {
    const { client, server } = await live();
    const published = client.publish("chat", { text: "hello" }, { event: "said", id: "k1" });
    const [frame] = server.socket.news();
    expect(frame).toMatchObject({
      type: "publish",
      channel: "chat",
      event: "said",
      data: { text: "hello" },
      id: "k1",
    });
    server.socket.say({ type: "ok", request: frame?.request, channel: "chat", epoch: EPOCH, offset: 9 });
    expect(await published).toEqual({ epoch: EPOCH, offset: 9 });
  });

  test("waits for the first connection, in the order of the calls, and connects for it", async () => {
    const { client, server } = setUp();
    const published = [client.publish("chat", 1), client.publish("chat", 2)];
    await settled();
    const socket = server.welcome();
    await settled();
    const frames = socket.sent.filter(({ type }) => type === "publish");
    expect(frames.map(({ data }) => data)).toEqual([1, 2]);
    for (const { request, data } of frames) socket.say({ type: "ok", request, epoch: EPOCH, offset: data });
    expect(await Promise.all(published)).toEqual([1, 2].map((offset) => ({ epoch: EPOCH, offset })));
  });

  test("does not wait beyond the first try", async () => {
    const { client, server } = setUp();
    const published = client.publish("chat", 1);
    await settled();
    server.socket.lose();
    await expect(published).rejects.toMatchObject({ code: "not_connected" });
    await expect(client.publish("chat", 1)).rejects.toMatchObject({ code: "not_connected" });
    client.close();
    await expect(client.publish("chat", 1)).rejects.toMatchObject({ code: "not_connected" });
  });

  test("is rejected with what the connection says of itself", async () => {
    const { client, server } = await live();
    server.socket.lose(1006, "The cable is out.");
    const lost = {
      code: "not_connected",
      message: "The cable is out.",
      remedy: expect.stringContaining("queue"),
    };
    await expect(client.publish("chat", 1)).rejects.toMatchObject(lost);
    await expect(client.next("n")).rejects.toMatchObject(lost);
    client.connect();
    server.socket.open();
    server.socket.lose(4401);
    const over = {
      code: "not_connected",
      message: "The token or session is invalid or has expired.",
      remedy: "Log in again, then connect with the new token.",
    };
    await expect(client.patch("chat", {})).rejects.toMatchObject(over);
    await expect(client.lock("l", { waitSeconds: 60 })).rejects.toMatchObject(over);
  });

  test("is refused for what is no channel, and for what is no JSON", async () => {
    const connected = await live();
    await expect(connected.client.publish("a b", 1)).rejects.toMatchObject({ code: "invalid_channel" });
    await expect(connected.client.publish("chat", undefined)).rejects.toMatchObject({
      code: "invalid_value",
    });
    expect(connected.server.socket.news()).toEqual([]);
  });

  test.each([false, true])(
    "is refused for more bytes than the server reads of a frame (queue: %s)",
    async (queue) => {
      const { client, server } = setUp({ queue });
      client.connect();
      const refused = {
        code: "too_large",
        passes: false,
        message: expect.stringContaining("the server reads 200"),
      };
      const early = client.publish("chat", "x".repeat(200));
      server.socket.open();
      server.socket.say({
        type: "connected",
        connection: "c",
        session: "s",
        resumed: false,
        frameBytes: 200,
      });
      await expect(early).rejects.toMatchObject(refused);
      // Bytes count, and not characters.
      await expect(client.publish("chat", "€".repeat(60))).rejects.toMatchObject(refused);
      await expect(client.patch("chat", { x: "x".repeat(200) })).rejects.toMatchObject(refused);
      await expect(client.lock("chat", { info: "x".repeat(200) })).rejects.toMatchObject(refused);
      expect([server.socket.sent.length, client.connection.status, client.queued]).toEqual([
        1,
        "connected",
        0,
      ]);
      void client.publish("chat", "x".repeat(60));
      await settled();
      expect(server.socket.sent).toHaveLength(2);
    },
  );

  test("is rejected with the server's words", async () => {
    const { client, server } = await live();
    const published = client.publish("chat", 1);
    const request = server.socket.news()[0]?.request;
    server.socket.say({
      type: "error",
      request,
      channel: "chat",
      code: "id_reused",
      message: "m",
      remedy: "r",
    });
    await expect(published).rejects.toMatchObject({ code: "id_reused", message: "m", remedy: "r" });
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
