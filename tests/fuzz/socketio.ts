/** Packets of Socket.IO and Engine.IO, over WebSocket and over polling: with and without data, of every type, at every moment. */
import fc from "fast-check";
import { WebSocket } from "ws";
import { type Fuzzer, soon } from "./fuzzer.js";
import { json, members, name, value } from "./values.js";

const event = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "subscribe",
      "unsubscribe",
      "publish",
      "patch",
      "token",
      "find",
      "get",
      "create",
      "update",
      "remove",
    ),
  },
  { weight: 1, arbitrary: name },
);

const eventData = fc
  .tuple(
    fc.oneof({ weight: 6, arbitrary: event }, value),
    fc.array(fc.oneof(name, members, value), { maxLength: 4 }),
  )
  .map(([first, rest]) => JSON.stringify([first, ...rest]));

/** What stands between the type and the data. */
const middle = fc.oneof(
  { weight: 6, arbitrary: fc.constant("") },
  { weight: 4, arbitrary: fc.nat(1000).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "/",
      "/other,",
      "/__proto__,",
      "//,",
      "/,",
      "1e3",
      "9".repeat(400),
      "-1",
      " ",
      "1 2",
      "0x10",
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom("1-", "50-", "9999999999-", "-", "0-", "1-/a,7") },
);

const packet = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant("42"), middle, eventData).map((all) => all.join("")) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom("40", "41", "42", "43", "44", "45", "46", "47", "4", "49", "4x"),
        middle,
        fc.oneof(fc.constant(""), json),
      )
      .map((all) => all.join("")),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "0",
      "1",
      "2",
      "2probe",
      "3",
      "3probe",
      "5",
      "6",
      "7",
      "b",
      "bAAAA",
      "\u001e",
      "42",
      "42[]",
      '42["error","x"]',
    ),
  },
);

/** What a client connects with: mostly what it should. */
const connect = fc.oneof(
  { weight: 4, arbitrary: fc.constant("40") },
  { weight: 2, arbitrary: members.map((auth) => `40${JSON.stringify(auth)}`) },
  { weight: 1, arbitrary: json.map((text) => `40${text}`) },
  { weight: 1, arbitrary: fc.constantFrom("40/other,", "42", '42["subscribe","a"]', "41", "") },
);

interface Packets {
  readonly first: string;
  /** Waits for the answer to the first. */
  readonly waits: boolean;
  readonly packets: readonly (string | Uint8Array)[];
}

const cases = fc.record({
  first: connect,
  waits: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  packets: fc.array(
    fc.oneof({ weight: 9, arbitrary: packet }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) }),
    {
      maxLength: 6,
    },
  ),
});

/** Is answered where the connection still stands. */
const LAST = '42999["the last"]';
const isLast = (text: string) => text.includes("43999[");
/** Several packets are polled at once. */
const SEPARATOR = "\u001e";
const isConnected = (text: string) => text.split(SEPARATOR).some((packet) => /^4[04]/.test(packet));

export const socketIoPackets: Fuzzer<Packets> = {
  name: "Socket.IO packets by WebSocket",
  cases,
  async send({ port }, { first, waits, packets }) {
    const socket = new WebSocket(`ws://localhost:${port}/socket.io/?EIO=4&transport=websocket`);
    socket.on("error", () => {});
    const closed = new Promise<void>((done) => socket.once("close", () => done()));
    const heard = (wanted: (text: string) => boolean) =>
      new Promise<void>((done) => {
        const hear = (data: unknown) => {
          if (!wanted(String(data))) return;
          socket.off("message", hear);
          done();
        };
        socket.on("message", hear);
      });
    try {
      await soon(Promise.race([heard((text) => text.startsWith("0")), closed]), "the handshake");
      const connected = heard(isConnected);
      if (first !== "") socket.send(first);
      if (waits && first.startsWith("40"))
        await soon(Promise.race([connected, closed]), `an answer to ${first}`);
      const last = heard(isLast);
      for (const each of packets) if (socket.readyState === WebSocket.OPEN) socket.send(each);
      if (socket.readyState === WebSocket.OPEN) socket.send(LAST);
      await soon(Promise.race([last, closed]), `an answer or an end after ${packets.join(" ")}`);
    } finally {
      socket.terminate();
    }
  },
};

export const polledPackets: Fuzzer<Packets> = {
  name: "Socket.IO packets by polling",
  cases,
  async send({ port }, { first, waits, packets }) {
    const site = `http://localhost:${port}/socket.io/?EIO=4&transport=polling`;
    const opened = await (await fetch(site)).text();
    const url = `${site}&sid=${JSON.parse(opened.slice(1)).sid}`;
    const post = async (body: string | Uint8Array) => {
      // A connection that ends takes its requests with it.
      const answer = await fetch(url, { method: "POST", body: Buffer.from(body) }).catch(() => null);
      await answer?.arrayBuffer().catch(() => {});
      return answer?.status === 200;
    };
    const poll = async (wanted: (text: string) => boolean) => {
      for (;;) {
        const answer = await fetch(url, { signal: AbortSignal.timeout(20_000) }).catch((error: unknown) => {
          if (error instanceof Error && error.name === "TimeoutError") throw error;
          return null;
        });
        const text = await answer?.text().catch(() => null);
        if (answer?.status !== 200 || text === null || text === undefined) return;
        const polled = text.split(SEPARATOR);
        if (wanted(text) || polled.includes("1")) return;
        if (polled.includes("2")) await post("3");
      }
    };
    if (first !== "" && !(await post(first))) return;
    if (waits && first.startsWith("40")) await poll(isConnected);
    if (
      !(await post(
        [
          ...packets.map((each) => (typeof each === "string" ? each : Buffer.from(each).toString("latin1"))),
          LAST,
        ].join(SEPARATOR),
      ))
    )
      return;
    await poll(isLast);
    await post("1");
  },
};
