/** `fanfare start` on the disk, which can be killed at any moment and started again on the same port and folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { within } from "../library/within.js";

const BIN = fileURLToPath(new URL("../../packages/server/bin/fanfare.js", import.meta.url));
export const KEY = "crash-test-0123456789";

export class KillableServer {
  readonly port: number;
  readonly #env: Readonly<Record<string, string>>;
  #process: ChildProcess | null = null;
  /** Milliseconds from each start to its answer. */
  readonly startMs: number[] = [];

  private constructor(port: number, env: Readonly<Record<string, string>>) {
    this.port = port;
    this.#env = env;
  }

  static async make(dataDir: string, env: Readonly<Record<string, string>> = {}): Promise<KillableServer> {
    const own = {
      FANFARE_DATA_DIR: dataDir,
      FANFARE_API_KEY: KEY,
      FANFARE_ANONYMOUS: JSON.stringify(LISTEN),
    };
    return new KillableServer(await freePort(), { ...own, ...env });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/push`;
  }

  /** Is a process there, as far as is known? */
  get isAlive(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  /** Resolves when it can be reached. */
  async start(): Promise<void> {
    const begun = performance.now();
    const env = { ...process.env, ...this.#env };
    const child = spawn(process.execPath, [BIN, "start", "--port", String(this.port)], { env });
    this.#process = child;
    let said = "";
    const ready = new Promise<void>((done, failed) => {
      child.stdout.on("data", (text) => String(text).includes("Fanfare is running") && done());
      child.stderr.on("data", (text) => {
        said += String(text);
      });
      child.on("close", () => failed(new Error(`the server ended: ${said}`)));
    });
    await within(ready, "the start of the server");
    this.startMs.push(performance.now() - begun);
  }

  /** Resolves when the process is gone. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    if (!child || !this.isAlive) return;
    const closed = once(child, "close");
    child.kill(signal);
    await closed;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return address.port;
}
