/** Asks the server that runs in a folder, for the command `fanfare`. */
import type { Socket } from "node:net";
import { ERRORS, type ErrorCode, FanfareError, quote } from "@fanfare/protocol";
import { connectInFolder } from "../../base/folder-socket.js";
import { UsageError } from "../../base/usage-error.js";
import {
  answerSchema,
  answerSchemas,
  CONTROL_SOCKET,
  CONTROL_VERSION,
  type Control,
  type ControlRequest,
  greetingSchema,
} from "./calls.js";

/** Longer than an engine may take to answer the server. */
const ANSWER_WITHIN_MS = 20_000;
/** A thousand keys with many grants have room. */
const MAX_ANSWER_BYTES = 64 * 2 ** 20;

/**
 * The server that runs in this folder; `null` where none answers the command.
 *
 * @throws UsageError when it belongs to another user, does not answer, or is of another version
 */
export async function runningServer(folder: string): Promise<Control | null> {
  const socket = await reach(folder);
  if (!socket) return null;
  const lines = new Lines(socket, folder);
  try {
    await lines.greeting();
  } finally {
    socket.destroy();
  }
  return remote(folder);
}

function remote(folder: string): Control {
  return {
    listKeys: async () => answerSchemas.listKeys.parse(await ask(folder, { call: "listKeys" })),
    addKey: async (wanted) => answerSchemas.addKey.parse(await ask(folder, { call: "addKey", ...wanted })),
    revokeKey: async (id) => answerSchemas.revokeKey.parse(await ask(folder, { call: "revokeKey", id })),
    makeToken: async (request) =>
      answerSchemas.makeToken.parse(await ask(folder, { call: "makeToken", ...request })),
  };
}

/** @throws FanfareError what the server answered; UsageError */
async function ask(folder: string, request: ControlRequest): Promise<unknown> {
  const socket = await reach(folder);
  if (!socket) throw new UsageError(`the server in ${folder} has ended`, "Try again.");
  const lines = new Lines(socket, folder);
  try {
    await lines.greeting();
    socket.write(`${JSON.stringify({ protocol: CONTROL_VERSION, ...request })}\n`);
    const { data } = answerSchema.safeParse(await lines.next());
    if (!data) throw notAnswered(folder);
    if ("answer" in data) return data.answer;
    const { code, message, remedy } = data.error;
    throw isCode(code) ? new FanfareError(code, message, { remedy }) : new UsageError(message, remedy);
  } finally {
    socket.destroy();
  }
}

async function reach(folder: string): Promise<Socket | null> {
  try {
    return await connectInFolder(folder, CONTROL_SOCKET);
  } catch (error) {
    throw new UsageError(
      `the server in ${folder} cannot be reached (${String(error)})`,
      "Run the command as the user of the server, on the same machine.",
    );
  }
}

/** What comes over a socket, as JSON in lines. */
class Lines {
  readonly #socket: Socket;
  readonly #folder: string;
  readonly #chunks: AsyncIterator<unknown>;
  #rest = Buffer.alloc(0);

  constructor(socket: Socket, folder: string) {
    this.#socket = socket;
    this.#folder = folder;
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  /** @throws UsageError */
  async greeting(): Promise<void> {
    const { data } = greetingSchema.safeParse(await this.next());
    if (!data) throw notAnswered(this.#folder);
    if (data.protocol === CONTROL_VERSION) return;
    throw new UsageError(
      `the server in ${this.#folder} (process ${data.pid}) is of version ${quote(data.version)}, which this command cannot ask`,
      "Use the command of the same version.",
    );
  }

  /** @throws UsageError when no whole line comes in time */
  async next(): Promise<unknown> {
    const timer = setTimeout(() => this.#socket.destroy(), ANSWER_WITHIN_MS);
    try {
      for (;;) {
        const end = this.#rest.indexOf("\n");
        if (end >= 0) {
          const line = this.#rest.subarray(0, end).toString();
          this.#rest = this.#rest.subarray(end + 1);
          return JSON.parse(line);
        }
        const { value, done } = await this.#chunks.next();
        if (done || !Buffer.isBuffer(value)) throw new Error("it closed the connection");
        this.#rest = Buffer.concat([this.#rest, value]);
        if (this.#rest.length > MAX_ANSWER_BYTES) throw new Error("its answer is too long");
      }
    } catch {
      throw notAnswered(this.#folder);
    } finally {
      clearTimeout(timer);
    }
  }
}

function notAnswered(folder: string): UsageError {
  return new UsageError(
    `the server in ${folder} does not answer`,
    "Look into its log, try again, or stop it first: then the command changes the files themselves.",
  );
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
