/** What no client may do to the others, whatever it sends: each way in is sent what is nearly right, beside a subscriber that loses nothing. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fuzzer } from "../fuzz/fuzzer.js";
import { httpRequests } from "../fuzz/http.js";
import { polledPackets, socketIoPackets } from "../fuzz/socketio.js";
import { webSocketFrames } from "../fuzz/websocket.js";
import { Client } from "./client.js";
import { type Serving, serve } from "./serving.js";

const CHANNEL = "beside:all";
/** How many times as much is sent. */
const TIMES = Number(process.env.FUZZ_TIMES ?? 1);

describe("whatever is sent, the server goes on without a mistake, and nobody else loses anything:", () => {
  let serving: Serving;
  let subscriber: Client;
  let published = 0;
  const uncaught: unknown[] = [];
  const note = (error: unknown) => void uncaught.push(error);

  beforeEach(async () => {
    process.on("uncaughtExceptionMonitor", note);
    serving = await serve({
      access: "open",
      socketio: { services: [{ name: "orders", path: "/orders" }] },
      rules: [{ channels: "room:*", presence: true }],
    });
    subscriber = await Client.connect(serving.url);
    await subscriber.subscribe(CHANNEL);
    published = 0;
  });

  afterEach(() => {
    process.off("uncaughtExceptionMonitor", note);
  });

  function fuzz<Case>({ name, cases, send }: Fuzzer<Case>, numRuns: number): void {
    test(
      name,
      async () => {
        const property = fc.asyncProperty(fc.array(cases, { minLength: 4, maxLength: 4 }), async (all) => {
          await Promise.all(all.map((each) => send(serving, each)));
          await serving.fanfare.publish(CHANNEL, ++published);
          const mistakes = serving.log.lines.filter(({ level }) => level === "error");
          expect(mistakes).toEqual([]);
          expect(uncaught).toEqual([]);
        });
        await fc.assert(property, { numRuns: TIMES * numRuns, endOnFailure: true });
        expect(await subscriber.offsets(published)).toEqual(
          Array.from({ length: published }, (_, index) => index + 1),
        );
        const { connections } = serving.fanfare.stats();
        await expect.poll(() => serving.fanfare.stats().connections, { timeout: 20_000 }).toBe(1);
        expect(connections).toBeLessThan(20);
      },
      60_000 * TIMES,
    );
  }

  fuzz(webSocketFrames, 60);
  fuzz(httpRequests, 100);
  fuzz(socketIoPackets, 80);
  fuzz(polledPackets, 40);
});
