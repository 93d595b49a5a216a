/** Streams of events over HTTP/1.1 are chunked: clients that read in blocks have each message at once, and all know how it ended. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { RawClient } from "./raw-client.js";
import { serve } from "./serving.js";
import { Inbox, soon, until } from "./waiting.js";

const FOLDER = fileURLToPath(new URL("../../node_modules/.cache/block-readers", import.meta.url));
const PYTHON = `${FOLDER}/bin/python`;
const PACKAGES = ["requests==2.34.2", "urllib3==2.8.0", "sseclient-py==1.9.0"];
const READER = fileURLToPath(new URL("block-reader.py", import.meta.url));

/** A stream as it comes over the wire: its head, and its chunks. */
async function wire(port: number, version = "1.1") {
  const client = await RawClient.dial(port);
  let text = "";
  client.socket.on("data", (bytes) => {
    text += String(bytes);
  });
  client.socket.write(`GET /push/sse?channel=a HTTP/${version}\r\nHost: localhost\r\n\r\n`);
  await until(() => text.includes("fanfare.cursor"), "the cursor");
  return {
    client,
    get text() {
      return text;
    },
    get head() {
      return text.slice(0, text.indexOf("\r\n\r\n"));
    },
    /** @throws when it is not made of chunks */
    get chunks() {
      return chunksOf(text.slice(text.indexOf("\r\n\r\n") + 4));
    },
  };
}

function chunksOf(text: string): string[] {
  const chunks: string[] = [];
  let rest = text;
  while (rest !== "") {
    const [head = "", digits = ""] = /^([0-9a-f]+)\r\n/.exec(rest) ?? [];
    const length = Number.parseInt(digits, 16);
    const chunk = rest.slice(head.length, head.length + length);
    if (head === "" || rest.slice(head.length + length, head.length + length + 2) !== "\r\n") {
      throw new Error(`no chunk: ${JSON.stringify(rest.slice(0, 100))}`);
    }
    chunks.push(chunk);
    rest = rest.slice(head.length + length + 2);
  }
  return chunks;
}

/** Reads a block whole before it hands anything on, as clients do that are not made for streams. */
function blocksOf(answer: IncomingMessage): Inbox<string> {
  const blocks = new Inbox<string>("blocks");
  let waiting = "";
  answer.setEncoding("utf8");
  answer.on("data", (text: string) => {
    waiting += text;
    for (let end = waiting.indexOf("\n\n"); end >= 0; end = waiting.indexOf("\n\n")) {
      blocks.put(waiting.slice(0, end));
      waiting = waiting.slice(end + 2);
    }
  });
  answer.on("end", () => blocks.put("ended"));
  answer.on("error", () => blocks.put("failed"));
  return blocks;
}

describe("a stream over HTTP/1.1", () => {
  test("is made of chunks, each of whole blocks, and ends with the last chunk", async () => {
    const { port, fanfare } = await serve({ access: "open" });
    const stream = await wire(port);
    expect(stream.head).toMatch(/^HTTP\/1.1 200/);
    expect(stream.head).toMatch(/transfer-encoding: chunked/i);
    const sent = ["small", "x".repeat(3000), "y".repeat(5000), "ü".repeat(20_000)];
    for (const data of sent) await fanfare.publish("a", data);
    await until(() => Buffer.from(stream.text).includes("ü".repeat(20_000)), "all messages");
    await fanfare.close();
    await soon(stream.client.closed, "the end");
    // Chunks count bytes.
    const bytes = Buffer.from(stream.text).toString("latin1");
    const chunks = chunksOf(bytes.slice(bytes.indexOf("\r\n\r\n") + 4));
    expect(chunks.at(-1)).toBe("");
    for (const chunk of chunks.slice(0, -1)) expect(chunk.endsWith("\n\n")).toBe(true);
    expect(bytes.endsWith("\r\n0\r\n\r\n")).toBe(true);
    expect(chunks.at(-2)).toContain("fanfare.closed");
  });

  test("has a message in one chunk, however long it is idle before", async () => {
    const { port, fanfare } = await serve({ access: "open" });
    const stream = await wire(port);
    const { length } = stream.chunks;
    await fanfare.publish("a", "hello");
    await until(() => stream.text.includes("hello"), "the message");
    expect(stream.chunks.slice(length)).toEqual([expect.stringContaining('"data":"hello"')]);
  });

  test("that is cut off has no last chunk: its client knows", async () => {
    const { port, fanfare, sockets } = await serve({ access: "open" });
    const answer = await new Promise<IncomingMessage>((done) => {
      get(`http://localhost:${port}/push/sse?channel=a`, done);
    });
    const blocks = blocksOf(answer);
    await blocks.nextThat((block) => block.includes("fanfare.cursor"));
    await fanfare.publish("a", 1);
    expect(await blocks.next()).toContain('"data":1');
    for (const socket of sockets) socket.destroy();
    await blocks.nextThat((block) => block === "failed");
  });
});

test("a client of HTTP/1.0 gets the stream as it is, until the connection closes", async () => {
  const { port, fanfare } = await serve({ access: "open" });
  const stream = await wire(port, "1.0");
  expect(stream.head).not.toMatch(/transfer-encoding/i);
  expect(stream.head).toMatch(/connection: close/i);
  await fanfare.publish("a", "hello");
  await until(() => stream.text.includes("hello"), "the message");
  await fanfare.close();
  await soon(stream.client.closed, "the end");
  expect(stream.text).toMatch(/"retryAfterSeconds":[\d.]+}\n\n$/);
});

describe("clients that read in blocks have each message at once, and the end", () => {
  /** Why Python's clients are not tried; empty where they are. */
  let missing = "";

  // Made once, and kept beside the packages of npm.
  beforeAll(() => {
    if (existsSync(`${FOLDER}/ready`)) return;
    try {
      execFileSync("python3", ["-m", "venv", FOLDER]);
      execFileSync(PYTHON, ["-m", "pip", "install", "-q", "--disable-pip-version-check", ...PACKAGES]);
      writeFileSync(`${FOLDER}/ready`, "");
    } catch (error) {
      missing = `Python's clients could not be installed: ${String(error)}`;
    }
  }, 120_000);

  /** Publishes a message only when the one before has been heard. */
  async function conversation(
    fanfare: { publish(channel: string, data: unknown): Promise<unknown> },
    lines: Inbox<string>,
  ) {
    for (const data of ["first", "second", "x".repeat(10_000), "last"]) {
      await fanfare.publish("a", data);
      expect(await lines.next()).toContain(data);
    }
  }

  test("in Node", async () => {
    const { port, fanfare } = await serve({ access: "open" });
    const answer = await new Promise<IncomingMessage>((done) => {
      get(`http://localhost:${port}/push/sse?channel=a`, done);
    });
    const blocks = blocksOf(answer);
    await blocks.nextThat((block) => block.includes("fanfare.cursor"));
    const messages = new Inbox<string>("messages");
    void (async () => {
      for (;;) {
        const block = await blocks.next();
        if (!/^event: fanfare\./m.test(block)) messages.put(block);
      }
    })().catch(() => {});
    await conversation(fanfare, messages);
    await fanfare.close();
    expect(await messages.next()).toBe("ended");
  });

  test.each(["requests", "urllib3"])("with %s of Python", async (library) => {
    if (missing) console.warn(`${library} was not tried: ${missing}`);
    if (missing) return;
    const { port, fanfare } = await serve({ access: "open" });
    const url = `http://localhost:${port}/push/sse?channel=a`;
    const lines = said(spawn(PYTHON, [READER, library, url], { stdio: ["ignore", "pipe", "inherit"] }));
    expect(await lines.next()).toBe("subscribed");
    await conversation(fanfare, lines);
    await fanfare.close();
    expect(await lines.next()).toBe("ended");
  });
});

function said(child: ChildProcess): Inbox<string> {
  const lines = new Inbox<string>("lines");
  let waiting = "";
  child.stdout?.on("data", (text) => {
    const [...all] = (waiting + String(text)).split("\n");
    waiting = all.pop() ?? "";
    for (const line of all) lines.put(line);
  });
  child.once("close", () => lines.end("the process has ended"));
  onTestFinished(() => void child.kill("SIGKILL"));
  return lines;
}
