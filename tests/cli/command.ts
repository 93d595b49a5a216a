/** The built command `fanfare`, as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { isOutdated } from "../../scripts/bundled.mjs";
import { within } from "../library/within.js";

const server = (path: string) => fileURLToPath(new URL(`../../packages/server/${path}`, import.meta.url));
const BIN = server("bin/fanfare.js");

// `npm test` bundles it; the tests of one file that were started otherwise would try an older one.
if (isOutdated(server("dist/command/main.js"), [server("src")])) {
  throw new Error("The command is older than its sources: run node packages/server/build/command.mjs");
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Working directory. @default an empty folder of this command, where it leaves its data */
  readonly folder?: string;
  /** What it reads from standard input. @default nothing */
  readonly input?: string;
}

export class Command {
  readonly #process: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";

  constructor(args: readonly string[], env: Record<string, string> = {}, options: CommandOptions = {}) {
    const child = spawn(process.execPath, [BIN, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...withoutOurs(process.env), ...env },
      cwd: options.folder ?? folderOfTest("fanfare-command-"),
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    child.stdout.on("data", (text) => {
      this.#stdout += String(text);
    });
    child.stderr.on("data", (text) => {
      this.#stderr += String(text);
    });
    this.#process = child;
    this.ended = once(child, "close").then(([code]: (number | null)[]) => ({
      code: code ?? null,
      stdout: this.#stdout,
      stderr: this.#stderr,
    }));
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await this.ended;
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Closes the pipe that it writes to, as `head` does when it has enough. */
  stopReading(): void {
    this.#process.stdout?.destroy();
  }

  /** What it ended with. */
  end(): Promise<Ended> {
    return within(this.ended, "the end of the command");
  }

  /** Waits until standard output or standard error has this. */
  async says(wanted: RegExp, from: "stdout" | "stderr" = "stdout"): Promise<RegExpExecArray> {
    const found = () => wanted.exec(from === "stdout" ? this.#stdout : this.#stderr);
    const stream = this.#process[from];
    const saying = new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = found();
        if (match) resolve(match);
      };
      stream?.on("data", look);
      void this.ended.then(({ stderr }) => reject(new Error(`it ended before: ${stderr}`)));
      look();
    });
    return within(saying, `${wanted} on ${from}`);
  }
}

/** Environment that gives a command a data folder of its own, for this test. */
export function dataDir(): { readonly FANFARE_DATA_DIR: string } {
  return { FANFARE_DATA_DIR: folderOfTest("fanfare-data-") };
}

/** An empty folder that goes with the test. */
function folderOfTest(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), name));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The environment without what would configure the command, or keep colours away from it. */
function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const entries = Object.entries(environment);
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith("FANFARE_") && !["NO_COLOR", "CI", "TEST"].includes(name)),
  );
}

/** `fanfare dev` on a free port or this one, ready to be used. */
export async function dev(...args: string[]) {
  const all = args.includes("--port") ? args : ["--port", "0", ...args];
  const command = new Command(["dev", ...all]);
  const [, port = ""] = await command.says(/Page {7}http:\/\/localhost:(\d+)\/\n/);
  await command.says(/curl .*\n\n/);
  return { command, port: Number(port) };
}
