/** What lies below an Engine.IO connection: reached where Engine.IO itself has no word for what has to be done. */
import type { Socket as EngineSocket } from "engine.io";

/** A WebSocket of `ws`, as far as it is needed. */
interface RawSocket {
  readonly bufferedAmount: number;
  pause(): void;
  resume(): void;
  terminate(): void;
}

/** Reads nothing more from the client, as far as its transport can be stopped: who polls sends one request at a time. */
export function pause(conn: EngineSocket): void {
  rawSocketOf(conn)?.pause();
}

export function resume(conn: EngineSocket): void {
  rawSocketOf(conn)?.resume();
}

/** Has the operating system taken everything that was sent? Where nobody can tell, it has not. */
export function takesAll(conn: EngineSocket): boolean {
  return rawSocketOf(conn)?.bufferedAmount === 0;
}

/** Ends the connection at once, whatever waits. */
export function destroy(conn: EngineSocket): void {
  const raw = rawSocketOf(conn);
  conn.close(true);
  raw?.terminate();
}

function rawSocketOf({ transport }: EngineSocket): RawSocket | null {
  const socket: unknown = "socket" in transport ? transport.socket : null;
  return isRawSocket(socket) ? socket : null;
}

function isRawSocket(socket: unknown): socket is RawSocket {
  return typeof socket === "object" && socket !== null && "terminate" in socket && "pause" in socket;
}
