/** What the commands share that call a running server: who they say they are, a client, and how its errors are told. */
import { text } from "node:stream/consumers";
import { type Client, type ConnectionState, createClient, type SocketConstructor } from "@fanfare/client";
import { WebSocket } from "ws";

export const urlArgument = {
  type: "string",
  default: "http://localhost:3030/push",
  description: "Address of the server, with its path",
  valueHint: "url",
} as const;

/** A client of the server at this address. @throws ClientError when it is no address */
export function connect(url: string, token?: string): Client {
  return createClient({
    url,
    ...(token !== undefined && { token }),
    // The package's type is wider than what the client uses of it.
    WebSocket: WebSocket as unknown as SocketConstructor,
  });
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

/** Resolves when the client is connected. Rejects when it cannot be: at the first failure, since somebody is waiting. */
export function connected(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (state: ConnectionState) => {
      if (state.status === "connected") resolve();
      else if (state.status === "reconnecting")
        reject(new RemoteError(state.why, "Is the server running, and is --url right?"));
      else if (state.status === "closed") reject(new RemoteError(state.why, state.remedy));
      else return;
      stop();
    };
    const stop = client.on("state", look);
    client.connect();
  });
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
