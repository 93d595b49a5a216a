/** The WebSockets of a page, as the browser reports them. */
import type { Page } from "@playwright/test";

/** What the tests look at in a frame. */
interface Frame {
  readonly type: string;
  readonly session?: string;
  readonly resumed?: boolean;
  readonly retryAfterSeconds?: number;
}

export interface Sockets {
  /** How many were opened. */
  opened: number;
  readonly received: Frame[];
  readonly sent: Frame[];
}

/** Keeps what goes over the page's WebSockets from now on. */
export function listenToSockets(page: Page): Sockets {
  const sockets: Sockets = { opened: 0, received: [], sent: [] };
  page.on("websocket", (socket) => {
    sockets.opened += 1;
    socket.on("framereceived", ({ payload }) => sockets.received.push(JSON.parse(String(payload))));
    socket.on("framesent", ({ payload }) => sockets.sent.push(JSON.parse(String(payload))));
  });
  return sockets;
}

/** How many frames of a type there were. */
export function count(frames: readonly Frame[], type: string): number {
  return frames.filter((frame) => frame.type === type).length;
}
