/** One of the examples, as a child process on a free port. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { type Client, createClient, type Gap, type Message } from "../../packages/client/src/index.js";
import { within } from "../library/within.js";

export const folder = new URL("../../examples/servers/", import.meta.url);

export class Example {
  readonly port: number;
  readonly site: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;

  private constructor(port: number, process: ChildProcess, ended: Promise<number | null>) {
    this.port = port;
    this.site = `http://127.0.0.1:${port}`;
    this.#process = process;
    this.#ended = ended;
  }

  /** Listens already when it resolves; is gone after the test. */
  static async start(file: string, env: Record<string, string> = {}): Promise<Example> {
    const child = spawn(process.execPath, [fileURLToPath(new URL(file, folder))], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PORT: "0", ...env },
    });
    const ended = endOf(child);
    const [, port] = await saysOf(child, "stdout", /http:\/\/localhost:(\d+)\//);
    return new Example(Number(port), child, ended);
  }

  /** Tells it to stop; answers with its exit code. */
  stop(): Promise<number | null> {
    this.#process.kill("SIGTERM");
    return within(this.#ended, "the end of the example");
  }
}

/** A process's exit code. It is ended after the test, if it still runs then. */
export function endOf(child: ChildProcess, by: NodeJS.Signals = "SIGKILL"): Promise<number | null> {
  const ended = once(child, "close").then(([code]: (number | null)[]) => code ?? null);
  onTestFinished(async () => {
    child.kill(by);
    await ended;
  });
  return ended;
}

/** Waits until a process says this; fails with all that it said on standard error when it ends before. */
export function saysOf(
  child: ChildProcess,
  from: "stdout" | "stderr",
  wanted: RegExp,
): Promise<RegExpExecArray> {
  const said = { stdout: "", stderr: "" };
  const saying = new Promise<RegExpExecArray>((resolve, reject) => {
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.on("data", (text) => {
        said[name] += String(text);
        const match = wanted.exec(said[from]);
        if (match) resolve(match);
      });
    }
    child.once("close", () => reject(new Error(`it ended before: ${said.stderr}`)));
  });
  return within(saying, `${wanted} on ${from}`);
}

/** What a page would hear: a client in this process, and all that its one handler was given. */
export class Listener {
  readonly client: Client;
  readonly messages: Message[] = [];
  readonly gaps: Gap[] = [];
  /** `recovered` of each time that the subscription stood. */
  readonly recovered: boolean[] = [];
  #happened: () => void = () => {};

  private constructor(url: string, channel: string) {
    this.client = createClient({ url, WebSocket });
    this.client.on("connection", () => this.#happened());
    this.client.subscribe(
      channel,
      (message) => {
        this.messages.push(message);
        this.#happened();
      },
      {
        onGap: (gap) => {
          this.gaps.push(gap);
          this.#happened();
        },
        onSubscribed: ({ recovered }) => {
          this.recovered.push(recovered);
          this.#happened();
        },
      },
    );
    onTestFinished(() => this.client.close());
  }

  /** Is subscribed when it resolves. */
  static async to(url: string, channel: string): Promise<Listener> {
    const listener = new Listener(url, channel);
    await listener.until("a subscription", () => listener.recovered.length > 0);
    return listener;
  }

  get data(): unknown[] {
    return this.messages.map(({ data }) => data);
  }

  /** Waits until something holds, looking whenever the client says anything. */
  until(what: string, holds: () => boolean): Promise<void> {
    const holding = new Promise<void>((resolve) => {
      this.#happened = () => {
        if (holds()) resolve();
      };
      this.#happened();
    });
    return within(holding, what);
  }
}
