/** The built command `fanfare dev` as a process of its own, which a test can kill and start again on the same port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const fromRoot = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const COMMAND = fromRoot("packages/server/bin/fanfare.js");

/** What is served at `/`. */
const PAGES = {
  /** The page that the command has by itself. */
  bare: null,
  gallery: fromRoot("examples/gallery/dist"),
  /** Those of these tests. */
  tests: fromRoot("tests/browser/pages"),
} as const;
export type Pages = keyof typeof PAGES;

export interface Published {
  readonly epoch: string;
  readonly offset: number;
}

export class DevServer {
  readonly port: number;
  readonly #pages: Pages;
  #process: ChildProcess;

  static async start(pages: Pages): Promise<DevServer> {
    return new DevServer(pages, await spawnServer(pages, 0));
  }

  private constructor(pages: Pages, { port, process }: { port: number; process: ChildProcess }) {
    this.port = port;
    this.#pages = pages;
    this.#process = process;
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** Ends it, and waits until it is gone. */
  async kill(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill(signal);
    await gone;
  }

  /** Starts it again on the same port. */
  async startAgain(): Promise<void> {
    this.#process = (await spawnServer(this.#pages, this.port)).process;
  }

  async publish(channel: string, data: unknown, event?: string): Promise<Published> {
    const answer = await fetch(`${this.url}/push/channels/${channel}/messages`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ event, data }),
    });
    if (answer.status !== 201) throw new Error(`${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Published;
  }

  /** Changes the state of a channel by a merge patch. */
  async patch(channel: string, patch: unknown): Promise<void> {
    const answer = await fetch(`${this.url}/push/channels/${channel}/state`, {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(patch),
    });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  }

  /** Publishes one after the other. */
  async publishAll(channel: string, all: readonly unknown[]): Promise<void> {
    for (const data of all) await this.publish(channel, data);
  }
}

async function spawnServer(pages: Pages, port: number) {
  const folder = PAGES[pages];
  const args = ["dev", "--port", String(port), ...(folder === null ? [] : ["--serve", folder])];
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  // Should the worker of the tests end early, so does this.
  const killed = () => void child.kill("SIGKILL");
  process.once("exit", killed);
  child.once("exit", () => process.removeListener("exit", killed));
  let errors = "";
  child.stderr.on("data", (text) => {
    errors += String(text);
  });
  let output = "";
  const started = new Promise<number>((resolve, reject) => {
    child.stdout.on("data", (text) => {
      output += String(text);
      const [, found] = /Page +http:\/\/localhost:(\d+)\//.exec(output) ?? [];
      if (found) resolve(Number(found));
    });
    child.once("exit", (code) => reject(new Error(`fanfare dev ended with ${code}: ${errors}`)));
  });
  return { port: await started, process: child };
}
