/** Connections through nginx that are idle for longer than a minute: nothing is cut off, and the next message comes at once. */
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { Example, Listener } from "../examples/example.js";
import { installNginx, startNginx } from "../examples/nginx.js";
import { events, http2 } from "../examples/nginx-http2.js";
import { post } from "../library/serve.js";

const KEY = "a-key-for-these-tests-only";
/** Longer than what nginx and load balancers wait for by themselves, and than the 75 seconds of the recipe. */
const IDLE_SECONDS = Number(process.env.IDLE_SECONDS ?? 80);

beforeAll(installNginx, 300_000);

test(
  `nginx cuts off nothing that is idle for ${IDLE_SECONDS} seconds`,
  async () => {
    const app = await Example.start("nginx/server.js", { API_KEY: KEY });
    const [plain, secure] = [await startNginx(app.port), await startNginx(app.port, { tls: true })];
    const listener = await Listener.to(`${plain.site}/push`, "order:42");
    const stream = events(http2(secure.site), "/push/sse?channel=order:42");
    await stream.nextThat((block) => block.includes("fanfare.cursor"));
    await sleep(IDLE_SECONDS * 1000);
    const messages = `${plain.site}/push/channels/order:42/messages`;
    const answer = await post(messages, { data: "hello" }, { Authorization: `Bearer ${KEY}` });
    expect(answer.status).toBe(201);
    await stream.nextThat((block) => block.includes("hello"));
    await listener.until("the message", () => listener.messages.length === 1);
    expect(listener.recovered).toEqual([false]);
  },
  (IDLE_SECONDS + 60) * 1000,
);
