import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { HIGH_WATER_MARK } from "../../base/high-water-mark.js";
import { ClientSocket } from "./client-socket.js";
import { closeFrame } from "./frame.js";

const MASK = Buffer.from([1, 2, 3, 4]);
const masked = (opcode: number, payload: Buffer) =>
  Buffer.concat([
    Buffer.from([0x80 | opcode, 0x80 | payload.length]),
    MASK,
    payload.map((byte, index) => byte ^ (MASK[index & 3] ?? 0)),
  ]);
/** As a client sends it, code 1000. */
const CLOSE = masked(8, Buffer.from([3, 232]));

interface Sides {
  readonly peer: Socket;
  readonly socket: Socket;
}

/** A ClientSocket on a real connection: what it told, in order, and the client's side. */
async function aClient() {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const peer = connect({ port, allowHalfOpen: true });
  const [socket] = (await once(server, "connection")) as [Socket];
  onTestFinished(() => {
    peer.destroy();
    server.close();
  });
  peer.on("error", () => {});
  const told: string[] = [];
  const waiting = new Map<string, () => void>();
  const tell = (what: string) => {
    told.push(what);
    waiting.get(what)?.();
  };
  const client = new ClientSocket(socket, Buffer.alloc(0), 1000, {
    text: (data) => tell(`text ${data}`),
    binary: () => tell("binary"),
    alive() {},
    unfinished() {},
    filling: () => tell("filling"),
    drained: () => tell("drained"),
    failed: (_error, code) => tell(`failed ${code}`),
    leaving: () => tell("leaving"),
    closing: () => tell("closing"),
    ended: () => tell("ended"),
    closed: (code) => tell(`closed ${code}`),
    failedInside: (error) => tell(`failed inside: ${error}`),
  });
  const heard: Buffer[] = [];
  peer.on("data", (bytes: Buffer) => heard.push(bytes));
  return {
    client,
    socket,
    peer,
    told,
    /** What came from the server, all of it once the connection is over. */
    heard: async () => {
      if (!peer.readableEnded) await once(peer, "end");
      peer.end();
      return Buffer.concat(heard);
    },
    until: (what: string) =>
      told.includes(what) ? undefined : new Promise<void>((done) => void waiting.set(what, done)),
  };
}

test("a client that ends its side with the close frame has said why: it is answered when that is due", async () => {
  const { client, socket, peer, told, heard, until } = await aClient();
  peer.end(Buffer.concat([masked(1, Buffer.from("last")), CLOSE]));
  if (!socket.readableEnded) await once(socket, "end");
  expect(told).toEqual(["text last", "leaving"]);
  client.write(Buffer.from("the answer"));
  client.answerClose();
  client.answerClose();
  expect(await heard()).toEqual(Buffer.concat([Buffer.from("the answer"), closeFrame(1000, "")]));
  await until("closed 1000");
  // Whether the socket was full for a moment is the system's affair.
  expect(told.filter((what) => what !== "filling" && what !== "drained")).toEqual([
    "text last",
    "leaving",
    "closing",
    "closed 1000",
  ]);
});

test("a client that ends its side without a word is told of, and its connection ends", async () => {
  const { peer, told, heard, until } = await aClient();
  peer.end();
  expect(await heard()).toEqual(Buffer.alloc(0));
  await until("closed 1006");
  expect(told).toEqual(["ended", "closed 1006"]);
});

test("whoever closes first, both close frames end the connection", async () => {
  const { client, peer, told, heard, until } = await aClient();
  client.close(4000, "why");
  expect(told).toEqual([]);
  peer.write(CLOSE);
  expect(await heard()).toEqual(closeFrame(4000, "why"));
  await until("closed 1000");
  expect([told[0], told.at(-1)]).toEqual(["closing", "closed 1000"]);
});

test.each([
  ["a reset by the client", ({ peer }) => peer.resetAndDestroy()],
  ["an end that others make", ({ socket }) => socket.destroy()],
] satisfies [string, (sides: Sides) => unknown][])(
  "after %s nothing is written, nothing waits, and nothing is told",
  async (_, end) => {
    const { client, peer, socket, told, until } = await aClient();
    end({ peer, socket });
    await until("closed 1006");
    const before = [...told];
    for (const bytes of [Buffer.alloc(10), Buffer.alloc(2 * HIGH_WATER_MARK)]) {
      expect(client.write(bytes)).toBe(true);
      client.cork();
      expect(client.write(bytes)).toBe(true);
      client.uncork();
    }
    client.ping();
    client.close(1000, "");
    client.answerClose();
    expect(client.waitingBytes).toBe(0);
    expect(told).toEqual(before);
  },
);
