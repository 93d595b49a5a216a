/** What clients are told while the memory of the server is full, at every door. */
import { expect, test } from "vitest";
import { FakeMemory } from "../../packages/server/src/testing/fake-memory.js";
import { RawConnection } from "../http/raw.js";
import { post, serve } from "../library/serve.js";

const MiB = 1024 * 1024;
const KEY = "0123456789abcdef0123456789abcdef";

const UPGRADE = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Protocol: fanfare.v1",
];

test("newcomers and publishers are refused at every door with a reason and a time, and let in again when there is room", async () => {
  const memory = new FakeMemory({ heapBytes: 100 * MiB, outsideBytes: 100 * MiB }, 20 * MiB);
  const { base, port, messages } = await serve({ memory, apiKeys: [KEY], socketio: { path: "/socket.io" } });
  const came = {
    websocket: () => new RawConnection(port).request("GET /push", UPGRADE),
    sse: () => fetch(`${base}/sse?channel=a`),
    socketio: () => fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`),
  };
  const statusOf = async (name: keyof typeof came) => (await came[name]()).status;
  const early = await came.sse();
  expect(early.status).toBe(200);

  memory.collect(80 * MiB);
  expect(await statusOf("websocket")).toBe(503);
  expect(await statusOf("socketio")).toBe(503);
  const refused = await came.sse();
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await refused.json()).toMatchObject({
    code: "too_many_connections",
    remedy: expect.stringContaining("memory"),
  });
  const publish = await post(messages, '{"data":1}');
  expect(publish.status).toBe(507);
  expect(await publish.json()).toMatchObject({ code: "insufficient_storage" });
  expect((await fetch(messages)).status).toBe(200);
  expect(await (await fetch(`${base}/health`)).json()).toEqual({ status: "full" });
  const figures = await (
    await fetch(`${base}/metrics`, { headers: { Authorization: `Bearer ${KEY}` } })
  ).text();
  expect(figures).toContain("fanfare_memory_full 1");
  expect(figures).toContain('fanfare_memory_refused_total{what="publishes"} 1');
  expect(figures).toContain('fanfare_memory_refused_total{what="connections"} 3');
  expect(figures).toContain(`fanfare_memory_heap_bytes ${80 * MiB}`);

  memory.collect(30 * MiB);
  expect((await post(messages, '{"data":1}')).status).toBe(201);
  const reader = early.body?.getReader();
  let heard = "";
  while (!heard.includes('"data":1')) {
    const { value, done } = (await reader?.read()) ?? { done: true };
    if (done) break;
    heard += Buffer.from(value ?? []).toString();
  }
  expect(heard).toContain('"data":1');
  expect(await statusOf("websocket")).toBe(101);
  expect(await statusOf("socketio")).toBe(200);
  await reader?.cancel();
});
