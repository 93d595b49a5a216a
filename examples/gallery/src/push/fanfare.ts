/** The client of this window, and the switch that cuts it off. */
import { type Connection, createClient } from "@fanfare/client";
import { useSyncExternalStore } from "react";
import { createNetwork } from "./cuttable-socket";

/** Where Fanfare answers; the server that serves this page may have written another path into it. */
export const PATH = document.querySelector<HTMLMetaElement>('meta[name="fanfare-path"]')?.content ?? "/push";

export const CHANNELS = {
  job: "job:demo",
  toasts: "toasts",
  broadcast: "broadcast",
  chat: "chat:demo",
  game: "game:demo",
  log: "hello",
} as const;

/** A record that several windows edit, one at a time: a channel with a state, and a lock of the same name. */
export const RECORD = "record:demo";
export const SEQUENCE = "ticket:demo";

const { cut, WebSocket } = createNetwork();

// The switch cuts WebSockets. Where those fail the client would find another way, around the switch.
export const client = createClient({ url: PATH, WebSocket, queue: true, sse: false });

// What is missing is told beside the switch (see recovery.ts) and in the log; what only shows the newest loads it again.
client.on("gap", () => {});

/** Cuts this window off, or lets it connect again, at once. */
export function setCut(off: boolean): void {
  cut.set(off);
  if (!off) client.connect();
}

export const isCut = cut.get;

export function useCut(): boolean {
  return useSyncExternalStore(cut.watch, cut.get);
}

export function useConnection(): Connection {
  return useSyncExternalStore(
    (listener) => client.on("connection", listener),
    () => client.connection,
  );
}

/** How much waits for the connection. */
export function useQueued(): number {
  return useSyncExternalStore(
    (listener) => client.on("queue", listener),
    () => client.queued,
  );
}
