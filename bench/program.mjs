/** A process of the bench: started, told what to do, measured and ended. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Linux counts a process's time in hundredths of a second, on all machines that Node runs on. */
const TICKS_PER_SECOND = 100;

export class Program {
  #child;
  /** @type {(order: any) => void} */
  #told = () => {};
  /** Called for messages that answer nothing. */
  onAside = (/** @type {any} */ _message) => {};

  /** @param {string} file beside this one @param {readonly string[]} args */
  constructor(file, args = []) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    this.#child = fork(path, [...args], {
      execArgv: ["--expose-gc", ...(process.env.BENCH_NODE_OPTIONS?.split(" ") ?? [])],
    });
    this.#child.on("message", (/** @type {any} */ message) => {
      if (message.publish) this.onAside(message);
      else this.#told(message);
    });
    this.#child.on("exit", (code) => {
      if (code) this.#told({ trouble: `${file} ended with exit code ${code}` });
    });
  }

  /** What the process says next. */
  answer() {
    return new Promise((done) => {
      this.#told = done;
    });
  }

  /** @param {object} order */
  tell(order) {
    this.#child.send(order);
  }

  /** @param {object} order @returns {Promise<any>} */
  ask(order) {
    const answer = this.answer();
    this.tell(order);
    return answer;
  }

  /** Seconds of processor time that the process has used, in user space and in the kernel. */
  cpuSeconds() {
    const line = readFileSync(`/proc/${this.#child.pid}/stat`, "utf8");
    // The name before the last bracket may hold anything.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Seconds for which its main thread could have run and got no core: others use the machine. */
  waitedSeconds() {
    const [, nanoseconds] = readFileSync(`/proc/${this.#child.pid}/schedstat`, "utf8").split(" ");
    return Number(nanoseconds) / 1e9;
  }

  async end() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    // With a profiler in it, the process has to end by itself.
    if (process.env.BENCH_NODE_OPTIONS) this.#child.disconnect();
    else this.#child.kill("SIGKILL");
    await ended;
  }
}
