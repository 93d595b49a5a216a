/** The HTTP server of the command: what it reads, how long it keeps connections, and how it answers what is no HTTP. */
import { describe, expect, onTestFinished, test } from "vitest";
import {
  closeServer,
  listen,
  nothingHere,
  portOf,
} from "../../packages/server/src/cli/serving/http-server.js";
import { RawClient } from "../doors/raw-client.js";
import { until } from "../doors/waiting.js";
import { RawConnection } from "../http/raw.js";
import { make } from "../library/serve.js";
import { within } from "../library/within.js";

/** As long as tokens may be. */
const TOKEN = "t".repeat(8192);

async function serving(keepAliveSeconds?: number) {
  const server = await listen(0, "127.0.0.1", nothingHere("it is elsewhere"), keepAliveSeconds);
  onTestFinished(() => closeServer(server));
  make({ apiKeys: [TOKEN] }).attach(server);
  return { server, port: portOf(server) };
}

describe("connections that are kept", () => {
  test("are kept for longer than load balancers keep them, and say so", async () => {
    const { port } = await serving();
    const { headers } = await new RawConnection(port).request("GET /push/health");
    expect([headers.get("connection"), headers.get("keep-alive")]).toEqual(["keep-alive", "timeout=75"]);
  });

  test("are closed after the time that is configured", async () => {
    const { port } = await serving(1);
    const connection = new RawConnection(port);
    expect((await connection.request("GET /push/health")).headers.get("keep-alive")).toBe("timeout=1");
    await within(connection.closed, "the end of the connection");
  });
});

describe("an address and headers", () => {
  const channels = Array.from({ length: 60 }, (_, index) => `${index}:`.padEnd(200, "a:b@c,d;e~"));
  const query = channels.map((channel) => `channel=${encodeURIComponent(channel)}`).join("&");
  const token = `Authorization: Bearer ${TOKEN}`;

  test("of 60 channels with the longest names, and a long token, are read", async () => {
    const { port } = await serving();
    expect((await new RawConnection(port).request(`HEAD /push/sse?${query}`, [token])).status).toBe(200);
  });

  test("that are larger than that are answered with a problem", async () => {
    const { port } = await serving();
    const connection = new RawConnection(port);
    const answer = await connection.request("GET /push/health", [`Cookie: ${"c".repeat(70_000)}`]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      431,
      expect.objectContaining({ code: "headers_too_large", remedy: expect.any(String) }),
    ]);
    await within(connection.closed, "the end of the connection");
  });
});

describe("what is no HTTP", () => {
  test.each([
    "NONSENSE\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /push/health HTTP/1.1\r\nHost localhost\r\n\r\n",
    "\x16\x03\x01\r\n\r\n",
  ])("is answered with a problem: %j", async (text) => {
    const { port } = await serving();
    const connection = new RawConnection(port);
    connection.write(text);
    const answer = await connection.response();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "invalid_request"]);
    await within(connection.closed, "the end of the connection");
  });

  test("is not written into an answer that is under way", async () => {
    const { port } = await serving();
    const client = await RawClient.dial(port);
    let text = "";
    client.socket.on("data", (bytes) => {
      text += String(bytes);
    });
    client.socket.write("GET /push/sse?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await until(() => text.includes("fanfare.cursor"), "the stream");
    client.socket.write("NONSENSE\r\n\r\n");
    await within(client.closed, "the end of the connection");
    expect(text).not.toContain("invalid_request");
  });
});
