/** Channels that are granted while a client is connected: it hears them without a new token or a reconnect. */
import { expect, onTestFinished, test } from "vitest";
import type { ClientError } from "../../packages/client/src/index.js";
import type { FanfareOptions, Grant } from "../../packages/server/src/index.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { HttpProxy } from "./http-proxy.js";
import { clientOf, eventually, inState, serve } from "./world.js";

const PUBLIC: readonly Grant[] = [{ channels: "public", actions: ["subscribe"] }];
const BOTH: readonly Grant[] = [...PUBLIC, { channels: "secret", actions: ["subscribe"] }];

/** A client that has been refused the channel `secret`. */
async function refused(options: FanfareOptions, transport: "websocket" | "sse" = "websocket") {
  const { port, fanfare, close } = await serve(options);
  onTestFinished(close);
  const proxy = await HttpProxy.to(port);
  onTestFinished(() => proxy.close());
  const address = transport === "sse" ? proxy.port : port;
  const client = clientOf(`http://127.0.0.1:${address}/push`, { random: () => 0 });
  onTestFinished(() => client.close());
  const heard: unknown[] = [];
  const codes: string[] = [];
  client.subscribe("secret", ({ data }) => heard.push(data), {
    onError: (error) => codes.push((error as ClientError).code),
    onSubscribed: () => heard.push("listens"),
  });
  expect((await inState(client, "connected")).transport).toBe(transport);
  await eventually(() => codes.length > 0, "the channel is to be refused");
  expect([codes, heard]).toEqual([["forbidden"], []]);
  return { fanfare, client, heard, codes };
}

test.each(["websocket", "sse"] as const)("by other settings, over %s", async (transport) => {
  const { fanfare, heard, codes } = await refused({ anonymous: PUBLIC }, transport);
  fanfare.reload({ anonymous: BOTH });
  await eventually(() => heard.length > 0, "the channel is to be heard");
  await fanfare.publish("secret", 1);
  await eventually(() => heard.length > 1, "a message is to come");
  // Settings that change nothing for the client cause no question.
  fanfare.reload({ anonymous: [...BOTH] });
  fanfare.reload({ anonymous: PUBLIC });
  await eventually(() => codes.length > 1, "the channel is to be ended");
  expect([heard, codes]).toEqual([
    ["listens", 1],
    ["forbidden", "forbidden"],
  ]);
  fanfare.reload({ anonymous: BOTH });
  await eventually(() => heard.length > 2, "the channel is to be heard again");
});

test("by the application, when it is asked again who the user is", async () => {
  const clock = new FakeClock();
  let grants = PUBLIC;
  let asked = 0;
  const { heard, codes } = await refused({
    clock,
    access: "granted",
    authorize: () => {
      asked++;
      return { user: "alice", grants, expires: clock.now() + 10_000 };
    },
  });
  const again = async () => {
    const before = asked;
    await clock.forward(11_000, 1000);
    await eventually(() => asked > before, "the application is to be asked again");
  };
  await again();
  grants = BOTH;
  await again();
  await eventually(() => heard.length > 0, "the channel is to be heard");
  expect([heard, codes]).toEqual([["listens"], ["forbidden"]]);
});
