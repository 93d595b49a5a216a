/** A WebSocket that a switch can cut off: what a lost network does to a window, at the press of a button. */
import type { SocketConstructor, SocketLike } from "@fanfare/client";
import { createStore, type Store } from "./store";

/** The code that a browser reports when a connection is gone without a word. */
const GONE = { code: 1006, reason: "" };
/** Not 1000: that would tell the server that this window leaves for good, and end its session. */
const CUT = 4000;
const CLOSED = 3;

/** A constructor of WebSockets, and the switch: while it is `true`, what was open is gone and nothing opens. */
export function createNetwork(): { cut: Store<boolean>; WebSocket: SocketConstructor } {
  const cut = createStore(false);
  const open = new Set<CuttableSocket>();

  class CuttableSocket implements SocketLike {
    onopen: (() => void) | null = null;
    onmessage: ((event: { data: unknown }) => void) | null = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    onerror: (() => void) | null = null;
    #socket: WebSocket | null = null;

    constructor(url: string, protocol: string) {
      if (cut.get()) {
        // After this turn, when the caller has had the time to listen.
        setTimeout(() => this.onclose?.(GONE));
        return;
      }
      const socket = new WebSocket(url, protocol);
      socket.onopen = () => this.onopen?.();
      socket.onmessage = (event) => this.onmessage?.(event);
      socket.onerror = () => this.onerror?.();
      socket.onclose = (event) => {
        open.delete(this);
        this.onclose?.(event);
      };
      this.#socket = socket;
      open.add(this);
    }

    get readyState(): number {
      return this.#socket?.readyState ?? CLOSED;
    }

    send(data: string): void {
      this.#socket?.send(data);
    }

    close(code?: number, reason?: string): void {
      this.#socket?.close(code, reason);
    }

    cut(): void {
      const socket = this.#socket;
      if (!socket) return;
      this.#socket = null;
      open.delete(this);
      socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
      socket.close(CUT);
      this.onclose?.(GONE);
    }
  }

  cut.watch(() => {
    if (cut.get()) for (const socket of [...open]) socket.cut();
  });
  return { cut, WebSocket: CuttableSocket };
}
