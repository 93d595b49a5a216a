/** What the machine allows: files that are open, and ports of one address. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { openFiles } from "../../bench/files.mjs";
import { listen } from "../../bench/listener.mjs";
import { plan } from "../../bench/plan.mjs";
import { Tally } from "../../bench/tally.mjs";
import { WIRES } from "../../bench/wire.mjs";

const onLinux = test.runIf(process.platform === "linux");
const bench = fileURLToPath(new URL("../../bench/run.mjs", import.meta.url));

describe("the limit of open files", () => {
  const limits = (files: string) =>
    `Max processes             4096                 4096                 processes\n` +
    `Max open files            ${files.padEnd(20)} 20000                files\n`;

  test.each([
    ["1024", 1024],
    ["unlimited", Number.POSITIVE_INFINITY],
  ])("is read where Linux shows it: %s", (files, expected) => {
    expect(openFiles(limits(files))).toBe(expected);
  });

  test("makes for fewer connections, and the tables say so", () => {
    const [few, , many] = plan(true, 4096);
    expect(few?.size).toMatchObject({ connections: 500 });
    expect(many?.size).toMatchObject({ connections: 3896 });
    expect(many?.note).toBe("Only 3896: a process may not open more files here (ulimit -n).");
    expect(plan(true, Number.POSITIVE_INFINITY)[2]).toMatchObject({ size: { connections: 8000 } });
    expect(plan(true, 8200)[2]).not.toHaveProperty("note");
  });

  onLinux("is refused when it is too low for the fewest connections", async () => {
    const child = spawn("sh", [
      "-c",
      'ulimit -n 300 && exec "$0" "$@"',
      process.execPath,
      bench,
      "--no-build",
    ]);
    const [code, said] = await endOf(child);
    expect(code).toBe(1);
    expect(said).toBe(
      "A process may open 300 files here, and the bench needs 700, better 8200: ulimit -n 8200, then try again.\n",
    );
  });
});

/** The exit code, and what was written on standard error. */
async function endOf(child: ChildProcess): Promise<[number | null, string]> {
  let said = "";
  child.stderr?.on("data", (text) => {
    said += String(text);
  });
  const [code] = await once(child, "close");
  return [code, said];
}

describe("a connection of the generator", () => {
  /** From which address the connection with this number comes. */
  async function addressOf(number: number): Promise<string | undefined> {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    await once(server, "listening");
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const connected = once(server, "connection");
    await new Promise<void>((ready, fail) => {
      const ended = (why: string) => fail(new Error(why));
      listen({ number, port, wire: WIRES.plain, tally: new Tally(number + 1), ready, ended });
    });
    const [, request] = await connected;
    return request.socket.remoteAddress;
  }

  onLinux.each([
    [0, "127.0.0.1"],
    [19_999, "127.0.0.1"],
    [20_000, "127.0.0.2"],
    [45_000, "127.0.0.3"],
  ])(
    "comes from another loopback address when the ports of one run out: number %d from %s",
    async (number, from) => {
      expect(await addressOf(number)).toBe(from);
    },
  );
});
