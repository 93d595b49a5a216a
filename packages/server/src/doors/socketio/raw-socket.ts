/** The socket below an Engine.IO connection, for all that Engine.IO itself has no call for. */
import type { Socket as EngineSocket } from "engine.io";

/** A WebSocket of `ws`, as far as it is needed. */
interface RawSocket {
  readonly bufferedAmount: number;
  readonly readyState: number;
  pause(): void;
  resume(): void;
  terminate(): void;
}

const WS_CLOSED = 3;

/** Reads nothing more from the client, as far as its transport can be stopped: a client that polls sends one request at a time. */
export function pause(conn: EngineSocket): void {
  rawSocketOf(conn)?.pause();
}

export function resume(conn: EngineSocket): void {
  rawSocketOf(conn)?.resume();
}

/** Has the operating system taken everything that was sent? Where that is not known, it has not. */
export function takesAll(conn: EngineSocket): boolean {
  return rawSocketOf(conn)?.bufferedAmount === 0;
}

/** Is the connection over? Engine.IO counts a WebSocket as closed before its client has answered the close frame, which it may never do. */
export function isOver(conn: EngineSocket): boolean {
  const raw = rawSocketOf(conn);
  return raw === null ? conn.readyState === "closed" : raw.readyState === WS_CLOSED;
}

/** How long a connection that closes waits for a client that polls and does not come, instead of half a minute. */
export function closeWithin(conn: EngineSocket, ms: number): void {
  if ("closeTimeout" in conn.transport) conn.transport.closeTimeout = ms;
}

/** Ends the connection at once, whatever waits. */
export function destroy(conn: EngineSocket): void {
  const raw = rawSocketOf(conn);
  conn.close(true);
  // One that is closing already waits for its transport, which may wait for the client.
  if (conn.readyState === "closing") conn.transport.emit("close");
  raw?.terminate();
}

function rawSocketOf({ transport }: EngineSocket): RawSocket | null {
  const socket: unknown = "socket" in transport ? transport.socket : null;
  return isRawSocket(socket) ? socket : null;
}

function isRawSocket(socket: unknown): socket is RawSocket {
  return typeof socket === "object" && socket !== null && "terminate" in socket && "pause" in socket;
}
