/** A client with the library `socket.io-client`, for tests: hears what comes, one by one. */
import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { onTestFinished } from "vitest";
import { Inbox, soon } from "./waiting.js";

/** An event as it came, with its arguments. */
interface Heard {
  readonly event: string;
  readonly args: readonly unknown[];
}

export interface SocketIoClient {
  readonly socket: Socket;
  /** Every event. */
  readonly heard: Inbox<Heard>;
}

/** An error of ours, in the form of Feathers. */
export interface ShownError {
  readonly name: string;
  readonly message: string;
  readonly code: number;
  readonly className: string;
  readonly data: { readonly code: string; readonly remedy: string };
}

/** Opens a connection, closed after the test. @throws what `connect_error` brings */
export async function connect(
  site: string,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<SocketIoClient> {
  const socket = io(site, { transports: ["websocket"], reconnection: false, forceNew: true, ...options });
  onTestFinished(() => void socket.disconnect());
  const heard = new Inbox<Heard>("events");
  socket.onAny((event: string, ...args: unknown[]) => heard.put({ event, args }));
  const connected = new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  await soon(connected, "the connection");
  return { socket, heard };
}

/** Emits, and waits for the answer. */
export function ask<Answer>({ socket }: SocketIoClient, event: string, ...args: unknown[]): Promise<Answer> {
  return soon(socket.emitWithAck(event, ...args), `the answer to ${event}`) as Promise<Answer>;
}
