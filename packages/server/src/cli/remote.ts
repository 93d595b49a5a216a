/** What `fanfare publish` and `fanfare listen` share: a client of a running server, and how its errors are told. */
import { type Client, type ConnectionState, createClient, type SocketConstructor } from "@fanfare/client";
import { WebSocket } from "ws";

export const urlArgument = {
  type: "string",
  default: "http://localhost:3030/push",
  description: "Address of the server, with its path",
  valueHint: "url",
} as const;

/** A client of the server at this address. @throws ClientError when it is no address */
export function connect(url: string): Client {
  // The package's type is wider than what the client uses of it.
  return createClient({ url, WebSocket: WebSocket as unknown as SocketConstructor });
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
