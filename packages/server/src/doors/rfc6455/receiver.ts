/** The parser of `ws`, which its types do not name. */
import type { Writable } from "node:stream";
import * as ws from "ws";

interface ReceiverOptions {
  readonly isServer: boolean;
  /** Bytes of one message. */
  readonly maxPayload: number;
  readonly maxFragments: number;
  readonly maxBufferedChunks: number;
}

/** Takes bytes by `write`, and emits frames before `write` returns; errors come later. */
export interface Receiver extends Writable {
  on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
  on(event: "ping" | "pong", listener: (payload: Buffer) => void): this;
  /** A close frame; 1005 when it holds no code. Nothing comes after it. */
  on(event: "conclude", listener: (code: number, reason: Buffer) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  on(event: string, listener: (...args: never[]) => void): this;
}

export const Receiver = (ws as unknown as { Receiver: new (options: ReceiverOptions) => Receiver }).Receiver;
