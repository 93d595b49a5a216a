/** Bodies that do not come whole: who is refused before one is read, how much all take, and how long one may take. */
import { createServer } from "node:http";
import { describe, expect, test } from "vitest";
import { FakeClock, turns } from "../../packages/server/src/testing/fake-clock.js";
import { listen, make, serve } from "../library/serve.js";
import { within } from "../library/within.js";
import { RawConnection } from "./raw.js";

const KEY = "0123456789-the-key";
const SERVICES = { socketio: { services: [{ name: "todos", path: "/todos" }] } };
/** Every call with a body. */
const CALLS = [
  "POST /push/channels/a/messages",
  "POST /push/messages",
  "PATCH /push/channels/a/state",
  "PUT /push/channels/a/state",
  "PUT /push/locks/a",
  "POST /push/sequences/a/next",
  "POST /push/tokens",
  "POST /push/keys",
  "POST /push/tickets",
  "POST /push/sse",
  "POST /todos",
  "PUT /todos/1",
  "PATCH /todos/1",
];

function head(line: string, headers: readonly string[]): string {
  return [`${line} HTTP/1.1`, "Host: localhost", "Content-Type: application/json", ...headers, "", ""].join(
    "\r\n",
  );
}

const from = (address: string) => `X-Forwarded-For: ${address}`;

/** Begins a body of which this much comes, and the rest does not. */
function begun(
  port: number,
  sent: number,
  headers: readonly string[] = [],
  line = CALLS[0] ?? "",
  length = 300_000,
): RawConnection {
  const connection = new RawConnection(port);
  connection.write(head(line, [`Content-Length: ${length}`, ...headers]));
  connection.write("x".repeat(sent));
  return connection;
}

const codeOf = ({ status, body }: { status: number; body: string }) => {
  const { code } = JSON.parse(body) as { code: unknown };
  return [status, code];
};

describe("who may do nothing with a call is refused before the body comes", () => {
  test.each(CALLS)("%s", async (line) => {
    const { port } = await serve({ ...SERVICES, access: "granted", apiKeys: [KEY] });
    const answer = await begun(port, 0, [], line).response();
    expect(answer.status).toBe(401);
  });

  test.each(CALLS)("%s, and is not asked to send it", async (line) => {
    const { port } = await serve({ ...SERVICES, access: "granted", apiKeys: [KEY] });
    const connection = begun(port, 0, ["Expect: 100-continue"], line);
    const answer = await connection.response();
    expect([answer.status, answer.headers.get("connection")]).toEqual([401, "close"]);
    await within(connection.closed, "the end of the connection");
  });
});

describe("a client that waits before it sends", () => {
  test.each(CALLS)("is asked for the body of %s", async (line) => {
    const { port } = await serve({ ...SERVICES, access: "granted", apiKeys: [KEY] });
    const connection = new RawConnection(port);
    connection.write(
      head(line, ["Content-Length: 1", "Expect: 100-continue", `Authorization: Bearer ${KEY}`]),
    );
    expect((await connection.response()).status).toBe(100);
    connection.write("{");
    expect((await connection.response()).status).toBe(400);
  });

  test("is asked by Socket.IO, and by an application beside it", async () => {
    const server = createServer((request, response) => {
      request.resume().on("end", () => response.writeHead(200, { "Content-Length": 0 }).end());
    });
    make(SERVICES).attach(server);
    const port = await listen(server);
    const opened = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse((await opened.text()).slice(1)) as { sid: string };
    for (const line of [`POST /socket.io/?EIO=4&transport=polling&sid=${sid}`, "POST /own"]) {
      const connection = new RawConnection(port);
      connection.write(head(line, ["Content-Length: 2", "Expect: 100-continue"]));
      expect((await connection.response()).status).toBe(100);
      connection.write("40");
      expect((await connection.response()).status).toBe(200);
    }
  });

  test("is left to an application that looks at this itself", async () => {
    const server = createServer((_, response) => response.end());
    make().attach(server);
    server.on("checkContinue", (_, response) => response.writeHead(403, { "Content-Length": 0 }).end());
    const connection = new RawConnection(await listen(server));
    connection.write(head("POST /own", ["Content-Length: 2", "Expect: 100-continue"]));
    expect((await connection.response()).status).toBe(403);
  });
});

describe("all bodies that have not come whole", () => {
  const LIMITS = { limits: { bodyBytes: 1_000_000 }, trustedProxies: ["127.0.0.1"] };

  test("share a bound: who goes beyond it is told to come back, and those that come at once are taken", async () => {
    const { port, base } = await serve(LIMITS);
    const all = Array.from({ length: 12 }, (_, client) => begun(port, 100_000, [from(`192.0.2.${client}`)]));
    const refused = await Promise.race(all.map((connection) => connection.response()));
    expect(codeOf(refused)).toEqual([503, "unavailable"]);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(await metric(base, (bytes) => bytes > 700_000)).toBeLessThanOrEqual(1_000_000);
    const small = new RawConnection(port);
    expect((await small.request(CALLS[0] ?? "", [from("192.0.2.99")], '{"data":1}')).status).toBe(201);
  });

  test("of one address have a quarter of it", async () => {
    const { port, base } = await serve(LIMITS);
    begun(port, 100_000, [from("192.0.2.1")]);
    await metric(base, (bytes) => bytes >= 100_000);
    const second = begun(port, 299_000, [from("192.0.2.1")]);
    expect(codeOf(await second.response())).toEqual([429, "rate_limited"]);
    begun(port, 100_000, [from("192.0.2.2")]);
    await metric(base, (bytes) => bytes >= 200_000);
  });

  test("give their room back, however they end, and take what their buffers take", async () => {
    const { port, base } = await serve(LIMITS);
    const broken = begun(port, 70_000);
    await metric(base, (bytes) => bytes >= 70_000);
    broken.destroy();
    await metric(base, (bytes) => bytes === 0);
    const whole = new RawConnection(port);
    whole.write(head(CALLS[0] ?? "", ["Transfer-Encoding: chunked"]));
    for (const piece of ['{"data', '":"', "x".repeat(20_000), '"}']) {
      whole.write(`${piece.length.toString(16)}\r\n${piece}\r\n`);
      await turns(5);
    }
    whole.write("0\r\n\r\n");
    expect((await whole.response()).status).toBe(201);
    await metric(base, (bytes) => bytes === 0);
    const large = begun(port, 0, ["X: 1"]);
    large.write("x".repeat(300_000));
    expect((await large.response()).status).toBe(400);
    await metric(base, (bytes) => bytes === 0);
  });

  test("of clients that poll count as well", async () => {
    const { port, base } = await serve({ ...SERVICES, ...LIMITS });
    const sids = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const opened = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
        return (JSON.parse((await opened.text()).slice(1)) as { sid: string }).sid;
      }),
    );
    const poll = (index: number) =>
      begun(
        port,
        120_000,
        [from(`192.0.2.${index}`)],
        `POST /socket.io/?EIO=4&transport=polling&sid=${sids[index]}`,
      );
    const refused = await Promise.race(sids.map((_, index) => poll(index).response()));
    expect(codeOf(refused)).toEqual([503, "unavailable"]);
    expect(await metric(base, (bytes) => bytes > 700_000)).toBeLessThanOrEqual(1_000_000);
  });
});

describe("a body that does not come whole within 30 seconds", () => {
  test.each([
    [0, "of which nothing came"],
    [10, "of which a part came"],
  ])("is given up with 408, and its connection closed (%i bytes)", async (bytes) => {
    const clock = new FakeClock();
    const { port, fanfare } = await serve({ ...SERVICES, clock });
    for (const line of CALLS) {
      const connection = begun(port, bytes, [], line, 4000);
      await begunHere(port);
      clock.advance(29_999);
      await turns(5);
      clock.advance(1);
      const answer = await connection.response();
      expect([line, answer.status, answer.headers.get("connection")]).toEqual([line, 408, "close"]);
      await within(connection.closed, "the end of the connection");
    }
    expect((await fanfare.position("a")).offset).toBe(0);
  });

  test("ends with its connection where a client polls, or where it was refused before", async () => {
    const clock = new FakeClock();
    const { port, fanfare } = await serve({ ...SERVICES, clock });
    const opened = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse((await opened.text()).slice(1)) as { sid: string };
    // A session that nobody connects to would end before.
    const connected = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling&sid=${sid}`, {
      method: "POST",
      body: "40",
    });
    expect(connected.status).toBe(200);
    const polling = begun(port, 10, [], `POST /socket.io/?EIO=4&transport=polling&sid=${sid}`);
    const refused = begun(port, 10, [], "POST /push/nothing");
    const unknown = begun(port, 10, [], "POST /socket.io/?EIO=4&transport=polling&sid=unknown");
    expect((await refused.response()).status).toBe(404);
    expect((await unknown.response()).status).toBe(400);
    await begunHere(port);
    clock.advance(30_000);
    expect((await polling.response()).status).toBe(408);
    for (const { closed } of [polling, refused, unknown]) await within(closed, "the end of the connection");
    // The session lives on, and the clock stands still.
    await fanfare.close({ withinSeconds: 0 });
  });

  test("is given up where a server hands over web-standard requests, too", async () => {
    const clock = new FakeClock();
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("{")) });
    const options = { method: "POST", body, duplex: "half" };
    const request = new Request("http://localhost/push/messages", options);
    const answer = make({ clock }).fetch(request);
    await turns(5);
    clock.advance(30_000);
    expect((await answer).status).toBe(408);
  });

  test("may trickle until then, and is not counted anew with each piece", async () => {
    const clock = new FakeClock();
    const { port } = await serve({ clock });
    const connection = new RawConnection(port);
    connection.write(head(CALLS[0] ?? "", ["Content-Length: 10"]));
    for (const piece of ['{"d', 'ata":', "1"]) {
      connection.write(piece);
      await begunHere(port);
      clock.advance(9_900);
    }
    connection.write("}");
    expect((await connection.response()).status).toBe(201);
  });
});

/** What was sent before has been read by the time that this is answered. */
async function begunHere(port: number): Promise<void> {
  for (let times = 0; times < 2; times++) {
    expect((await fetch(`http://127.0.0.1:${port}/push/health`)).status).toBe(200);
  }
}

/** Asks until the bytes of unfinished bodies are so. */
async function metric(base: string, holds: (bytes: number) => boolean): Promise<number> {
  for (;;) {
    const text = await (await fetch(`${base}/metrics`)).text();
    const bytes = Number(/^fanfare_body_bytes (\d+)$/m.exec(text)?.[1]);
    if (holds(bytes)) return bytes;
  }
}
