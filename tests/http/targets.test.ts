/** Every form of address and host that HTTP allows leads to the same place, at every door. */
import { createServer } from "node:http";
import { describe, expect, test } from "vitest";
import { upgradeRequest } from "../doors/raw-client.js";
import { listen, make, serve } from "../library/serve.js";
import { RawConnection } from "./raw.js";

const OPTIONS = { socketio: { services: [{ name: "todos", path: "/todos" }] } };

/** What is called at each door, and how it answers when the host is right. */
const DOORS = [
  ["the HTTP API", "GET /push/health", 200],
  ["a stream of events", "GET /push/sse?channel=a", 200],
  ["Socket.IO", "GET /socket.io/?EIO=4&transport=polling", 200],
  ["the script of Socket.IO", "GET /socket.io/socket.io.js", 200],
  ["a service of Feathers", "GET /todos", 200],
] as const;

const VALID_HOSTS = [
  "LOCALHOST",
  "localhost.",
  "localhost:",
  "localhost:80",
  "localhost:65535",
  "127.0.0.1:",
  "[::1]",
  "[0:0:0:0:0:0:0:1]",
  "[0000:0000::0001]:3030",
  "[::ffff:127.0.0.1]",
  "[v1.fe80:a]:80",
  "a_b",
  "1.2.3",
  "256.256.256.256",
  "%6cocalhost",
  "b%C3%BCcher.example",
  "a!$&'()*+,;=~b",
  "",
];
const INVALID_HOSTS = [
  "a b",
  "a/b",
  "user@localhost",
  "[::1",
  "[fe80::1%25eth0]",
  "a:b",
  ":80",
  "a%zz",
  "[1.2.3.4]",
  "a\\b",
];

/** The answer's status, to a request written by hand. */
async function statusOf(port: number, line: string, host: string): Promise<number> {
  const connection = new RawConnection(port);
  connection.write(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const { status } = await connection.response({ toHead: true });
  connection.destroy();
  return status;
}

async function upgradeStatus(port: number, target: string, host?: string): Promise<number> {
  const connection = new RawConnection(port);
  const request = upgradeRequest(port, target);
  connection.write(host === undefined ? request : request.replace(/Host: .*/, () => `Host: ${host}`));
  const { status } = await connection.response({ toHead: true });
  connection.destroy();
  return status;
}

describe("a valid Host is taken", () => {
  test.each(DOORS)("by %s, however it is written", async (_name, line, status) => {
    const { port } = await serve(OPTIONS);
    for (const host of VALID_HOSTS) expect([host, await statusOf(port, line, host)]).toEqual([host, status]);
  });

  test("by WebSockets", async () => {
    const { port } = await serve(OPTIONS);
    for (const path of ["/push", "/socket.io/?EIO=4&transport=websocket"]) {
      for (const host of VALID_HOSTS)
        expect([host, await upgradeStatus(port, path, host)]).toEqual([host, 101]);
    }
  });

  test("as the name of this machine, for development", async () => {
    const { port } = await serve({ loopbackOnly: true });
    for (const host of ["[0:0:0:0:0:0:0:1]", "Localhost.:1", "%6cocalhost", "127.1"]) {
      expect([host, await statusOf(port, "GET /push/health", host)]).toEqual([host, 200]);
    }
    for (const host of ["evil.example", "[v1.x]", "256.1.1.1", "localhost.evil.example", "localhost.."]) {
      expect([host, await statusOf(port, "GET /push/health", host)]).toEqual([host, 421]);
      expect([host, await upgradeStatus(port, "/push", host)]).toEqual([host, 421]);
    }
  });
});

describe("an invalid Host is refused with 400", () => {
  test.each(DOORS)("by %s", async (_name, line) => {
    const { port } = await serve(OPTIONS);
    for (const host of INVALID_HOSTS) expect([host, await statusOf(port, line, host)]).toEqual([host, 400]);
  });

  test("by WebSockets", async () => {
    const { port } = await serve(OPTIONS);
    for (const path of ["/push", "/socket.io/?EIO=4&transport=websocket"]) {
      for (const host of INVALID_HOSTS)
        expect([host, await upgradeStatus(port, path, host)]).toEqual([host, 400]);
    }
  });
});

describe("an absolute address", () => {
  const absolute = (line: string, host: string) => line.replace(" /", ` http://${host}/`);

  test.each(DOORS)("is taken by %s, and its host counts, not the header", async (_name, line, status) => {
    const { port } = await serve({ ...OPTIONS, loopbackOnly: true });
    expect(await statusOf(port, absolute(line, "localhost"), "localhost")).toBe(status);
    expect(await statusOf(port, absolute(line, "LOCALHOST:3030"), "evil.example")).toBe(status);
    // Feathers has no class of errors for 421.
    const misdirected = line.includes("/todos") ? 400 : 421;
    expect(await statusOf(port, absolute(line, "evil.example"), "localhost")).toBe(misdirected);
    expect(await statusOf(port, absolute(line, "user@localhost"), "localhost")).toBe(400);
  });

  test("opens WebSockets", async () => {
    const { port } = await serve({ ...OPTIONS, loopbackOnly: true });
    for (const path of ["/push", "/push?x", "/socket.io/?EIO=4&transport=websocket"]) {
      expect(await upgradeStatus(port, `http://localhost${path}`)).toBe(101);
      expect(await upgradeStatus(port, `http://evil.example${path}`)).toBe(421);
    }
  });

  test("is the application's own where it is for none of ours", async () => {
    const server = createServer((request, response) =>
      response.end(`${request.url} ${request.headers.host}`),
    );
    make().attach(server);
    const port = await listen(server);
    const connection = new RawConnection(port);
    connection.write("GET http://a.example/own HTTP/1.1\r\nHost: b.example\r\n\r\n");
    expect((await connection.response({ toHead: true })).status).toBe(200);
  });
});

test("a WebSocket whose request has a body is refused, and not read as frames", async () => {
  const { port } = await serve(OPTIONS);
  for (const path of ["/push", "/socket.io/?EIO=4&transport=websocket"]) {
    for (const header of ["Content-Length: 5", "Transfer-Encoding: chunked"]) {
      const connection = new RawConnection(port);
      connection.write(upgradeRequest(port, path, [header]));
      expect((await connection.response()).status).toBe(400);
    }
  }
});
