/** The WebSocket that Node.js brings since version 22, which on some of its versions tells of an error and never of an end. */
import { expect, onTestFinished, test } from "vitest";
import { createClient } from "../../packages/client/src/index.js";
import { inState, Recorder, serve, urlOf } from "./world.js";

const isThere = globalThis.WebSocket !== undefined;

test.skipIf(!isThere)(
  "a server that is away, and one that knows no such path, are lost connections at once",
  async () => {
    const { url, port, close } = await serve();
    const begun = performance.now();
    const lost = async (address: string) => {
      const client = createClient({ url: address, sse: false });
      client.connect();
      await inState(client, "reconnecting");
      client.close();
    };
    await lost(`${urlOf(port)}/elsewhere`);
    await close();
    await lost(url);
    // Not when the 10 seconds are over in which a socket has to open.
    expect(performance.now() - begun).toBeLessThan(8000);
  },
);

test.skipIf(!isThere)("hears, publishes and leaves", async () => {
  const { url, fanfare, close } = await serve();
  const client = createClient({ url });
  onTestFinished(async () => {
    client.close();
    await close();
  });
  const heard = new Recorder<unknown>();
  await new Promise<unknown>((onSubscribed) =>
    client.subscribe("news", ({ data }) => heard.add(data), { onSubscribed }),
  );
  await client.publish("news", "hello");
  expect(await heard.atLeast(1)).toEqual(["hello"]);
  expect(await fanfare.position("news")).toMatchObject({ offset: 1 });
});
