/** Shared by the commands that call a running server: their credentials, a client, and the texts of its errors. */
import { text } from "node:stream/consumers";
import { type Client, type Connection, createClient, type SocketConstructor } from "@fanfare/client";
import { asError, printable, quote } from "@fanfare/protocol";
import { WebSocket } from "ws";
import { UsageError } from "../../base/usage-error.js";

export const urlArgument = {
  type: "string",
  default: "http://localhost:3030/push",
  description: "Address of the server, with its path",
  valueHint: "url",
} as const;

/** A client of a running server that knows what keeps it from there, which browsers do not tell their pages. */
export class Remote {
  readonly client: Client;
  readonly #url: string;
  /** The error of the last try. */
  #cause: unknown = null;

  /** @throws UsageError when it is no address */
  constructor(url: string, token?: string) {
    // The client's own error text is meant for pages.
    if (!/^(?:https?|wss?):\/\/[^/]/.test(url) || !URL.canParse(url)) {
      throw new UsageError(`--url is ${quote(url)}`, "Give an address such as http://localhost:3030/push.");
    }
    this.#url = url;
    const failed = (error: unknown) => {
      this.#cause = error;
    };
    class Socket extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        this.on("error", failed);
        this.on("open", () => failed(null));
      }
    }
    this.client = createClient({
      url,
      ...(token !== undefined && { token }),
      // The package's type is wider than what the client uses of it.
      WebSocket: Socket as unknown as SocketConstructor,
      fetch: (address, init) =>
        fetch(address, init).catch((error: unknown) => {
          failed(error);
          throw error;
        }),
    });
  }

  /** The reason why there is no connection, with the address and the cause, as far as there is one. */
  reason(connection: { readonly reason: string }): string {
    return this.#cause === null ? connection.reason : `cannot reach ${this.#url}: ${causeOf(this.#cause)}.`;
  }

  /** Resolves when the client is connected. Rejects when it cannot be: at the first failure, since somebody is waiting. */
  connected(): Promise<void> {
    const { client } = this;
    return new Promise((resolve, reject) => {
      const look = (connection: Connection) => {
        if (connection.status === "connected") resolve();
        else if (connection.status === "reconnecting")
          reject(new RemoteError(this.reason(connection), "Is the server running, and is --url right?"));
        else if (connection.status === "closed")
          reject(new RemoteError(this.reason(connection), connection.remedy));
        else return;
        stop();
      };
      const stop = client.on("connection", look);
      client.connect();
    });
  }
}

/** The cause of a network error, such as `ECONNREFUSED` or the answer of another server. */
export function causeOf(error: unknown): string {
  const cause = asError(error instanceof Error && error.cause instanceof Error ? error.cause : error);
  const { code } = cause as NodeJS.ErrnoException;
  return code || printable(cause.message).replace(/\.$/, "");
}

/** A key or token as it was given: `-` stands for standard input. */
export async function tokenIn(given: string | undefined): Promise<string | undefined> {
  return given === "-" ? (await text(process.stdin)).trim() : given;
}

/** The first, where the variable has several for `fanfare start`. */
export function keyOfEnvironment(): string | undefined {
  return process.env.FANFARE_API_KEY?.split(",")
    .find((key) => key.trim() !== "")
    ?.trim();
}

/** The server cannot be reached, or does not want us. */
export class RemoteError extends Error {
  override readonly name = "RemoteError";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}
