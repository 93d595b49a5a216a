import { createServer } from "node:http";
import { describe, expect, test } from "vitest";
import { listen, make, post, serve } from "../library/serve.js";
import { within } from "../library/within.js";
import { RawConnection } from "./raw.js";

const MESSAGES = "POST /push/channels/a/messages";

describe("a connection that is kept", () => {
  test.each([
    ["201", MESSAGES, '{"data":1}', 201],
    [
      "a refused channel, whose body nobody has read",
      "POST /push/channels/a%20b/messages",
      '{"data":1}',
      400,
    ],
    ["a body that is no JSON", MESSAGES, "{", 400],
    ["an address that leads nowhere, with a large body", "POST /push/nothing", "x".repeat(300_000), 404],
    ["a method that is not possible", "DELETE /push/health", "x", 405],
    ["a body that says itself that it is too large", MESSAGES, "x".repeat(900_000), 413],
    ["a malformed address", "GET /push/x\\y", "", 400],
    ["426", "GET /push", "", 426],
  ])("goes on after %s", async (_name, line, body, status) => {
    const { port } = await serve();
    const connection = new RawConnection(port);
    expect((await connection.request(line, [], body)).status).toBe(status);
    expect((await connection.request(MESSAGES, [], '{"data":2}')).status).toBe(201);
  });

  test("ends after 426 where the client asked for that", async () => {
    const { port } = await serve();
    const connection = new RawConnection(port);
    expect((await connection.request("GET /push", ["Connection: close"])).status).toBe(426);
    await within(connection.closed, "the end of the connection");
  });

  test("goes on after a body in chunks that turned out too large", async () => {
    const { port } = await serve();
    const connection = new RawConnection(port);
    const chunk = `2710\r\n${"x".repeat(10_000)}\r\n`;
    connection.write(`${MESSAGES} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (let count = 0; count < 100; count++) connection.write(chunk);
    const { status, body } = await connection.response();
    expect([status, JSON.parse(body).code]).toEqual([413, "too_large"]);
    connection.write("0\r\n\r\n");
    expect((await connection.request(MESSAGES, [], '{"data":2}')).status).toBe(201);
  });

  test("is told that a body is too large although it sends all of it first", async () => {
    const { messages } = await serve();
    const body = "x".repeat(20_000_000);
    for (let count = 0; count < 3; count++) expect((await post(messages, body)).status).toBe(413);
  });

  test("is answered in order when requests come together", async () => {
    const { port } = await serve();
    const connection = new RawConnection(port);
    const requests = [1, 2, 3, 4].map(
      (data) => `${MESSAGES} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"data":${data}}`,
    );
    connection.write(requests.join(""));
    for (const offset of [1, 2, 3, 4]) {
      expect(JSON.parse((await connection.response()).body)).toMatchObject({ offset });
    }
  });

  test("that breaks off in a body publishes nothing and is no error of the server", async () => {
    const errors: string[] = [];
    const none = () => {};
    const { port, server, fanfare } = await serve({
      logger: { debug: none, info: none, warn: none, error: (_, message) => errors.push(message) },
    });
    const gone = new Promise<void>((done) => {
      server.once("connection", (socket) => socket.once("close", () => done()));
    });
    const connection = new RawConnection(port);
    connection.write(`${MESSAGES} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"da`);
    // The answer to another request shows that this one has begun.
    expect((await fetch(`http://127.0.0.1:${port}/push/health`)).status).toBe(200);
    connection.destroy();
    await within(gone, "the end of the connection");
    expect(await fanfare.position("a")).toMatchObject({ offset: 0 });
    expect(errors).toEqual([]);
  });
});

describe("a request that offers an upgrade to something else than WebSocket, as Java's client does", () => {
  const offer = [
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk",
  ];

  test("is answered as if it had not, body and all, and the connection goes on", async () => {
    const { port } = await serve();
    const connection = new RawConnection(port);
    const answer = await connection.request(MESSAGES, [...offer, "Idempotency-Key: k"], '{"data":"é"}');
    expect([answer.status, answer.headers.get("connection")]).toEqual([201, "keep-alive"]);
    expect((await connection.request("GET /push/channels/a/messages", offer)).body).toContain('"id":"k"');
    expect((await connection.request(MESSAGES, [], '{"data":2}')).status).toBe(201);
  });

  test("is answered when its body comes later, in chunks", async () => {
    const { port } = await serve();
    const connection = new RawConnection(port);
    const head = [`${MESSAGES} HTTP/1.1`, "Host: localhost", "Transfer-Encoding: chunked", ...offer];
    connection.write(`${head.join("\r\n")}\r\n\r\n5\r\n{"dat\r\n`);
    connection.write('5\r\na":1}\r\n0\r\n\r\n');
    expect((await connection.response()).status).toBe(201);
  });

  test("still reaches the application that the server had before", async () => {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += String(chunk);
      });
      request.on("end", () => response.setHeader("Content-Length", body.length).end(body));
    });
    make().attach(server);
    const connection = new RawConnection(await listen(server));
    expect((await connection.request("POST /own", offer, "hello")).body).toBe("hello");
  });
});
