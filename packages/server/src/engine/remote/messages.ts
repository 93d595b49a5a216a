/**
 * The words that an engine and its nodes exchange over a socket: calls and answers, and what the engine tells by itself. All of it is
 * JSON. A message is an array that begins with its kind.
 */
import { asError, type ChannelName, FanfareError, type Position } from "@fanfare/protocol";
import type { EngineTrouble } from "../engine.js";
import type { LogEntry, LossReason, PresentState } from "../logs.js";
import { StateConflictError } from "../state-conflict.js";

/** Both sides have to have the same. They are processes of one deployment on one machine. */
export const REMOTE_VERSION = 1;

/** The first message of the engine. */
export interface Greeting {
  readonly version: number;
  readonly durable: boolean;
  /** Do the values of spaces outlive the process? */
  readonly durableSpaces: boolean;
  readonly durableVolatileSpaces: boolean;
  readonly trouble: EngineTrouble | null;
}

/** A node's message. A call has a number, which its answer carries; an ear is the node's number for a listener of a channel. */
export type NodeMessage =
  | readonly ["call", number, string, readonly unknown[]]
  | readonly ["listen", number, ChannelName, number]
  | readonly ["unlisten", number]
  | readonly ["on", string]
  | readonly ["off", string];

/** The engine's message. */
export type EngineMessage =
  | readonly ["hello", Greeting]
  | readonly ["answer", number, unknown]
  | readonly ["error", number, SentError]
  | readonly ["entry", number, LogEntry]
  | readonly ["reset", number, Position, LossReason]
  | readonly ["deaf", number, number]
  | readonly ["signal", string, string]
  | readonly ["trouble", EngineTrouble | null];

/** An error as it travels. */
export interface SentError {
  readonly code?: FanfareError["code"];
  readonly message: string;
  readonly remedy?: string;
  readonly retryAfterSeconds?: number;
  /** Of a refused change of a state: its channel, the state as it is, and the state that was expected. */
  readonly conflict?: { readonly channel: ChannelName; readonly present: PresentState };
}

/** @param channel whose state a refused change concerns */
export function sentError(error: unknown, channel: ChannelName | null): SentError {
  if (!(error instanceof FanfareError)) return { message: asError(error).message };
  const { code, message, remedy, retryAfterSeconds } = error;
  return {
    code,
    message,
    remedy,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(error instanceof StateConflictError && channel && { conflict: { channel, present: error.present } }),
  };
}

/** The error that was sent. @param base the state that a refused change expected */
export function receivedError(sent: SentError, base: Position | null): Error {
  const { code, message, remedy, retryAfterSeconds, conflict } = sent;
  if (conflict) return new StateConflictError(conflict.channel, conflict.present, base);
  if (code === undefined) return new Error(message);
  return new FanfareError(code, message, {
    ...(remedy !== undefined && { remedy }),
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}
