/** Requests under way on one connection: which answer belongs to which, and how subscribes travel together. */
import type { OkFrame } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { Position } from "./types.js";

/** Bytes of one frame, at most; the server takes more, but not much. */
const BATCH_BYTES = 32 * 1024;
const BATCH_CHANNELS = 1000;

export interface SubscribeItem {
  readonly channel: string;
  readonly since?: { readonly epoch: string; readonly offset: number };
  readonly state?: boolean;
}

/** Splits what is to be subscribed or left into frames that are not too large. Channel names are ASCII, so a character is a byte. */
export function splitBatches<Item extends SubscribeItem | string>(items: readonly Item[]): Item[][] {
  const batches: Item[][] = [];
  let batch: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = JSON.stringify(item).length + 1;
    if (batch.length > 0 && (bytes + size > BATCH_BYTES - 100 || batch.length === BATCH_CHANNELS)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

interface Waiting {
  resolve(answer: OkFrame): void;
  reject(error: ClientError): void;
}

/** Gives requests their numbers, and keeps those that wait for an `ok` or an `error`. */
export class Requests {
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  nextNumber(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** @param send is called with the number of the request, before this returns */
  ask(send: (request: number) => void): Promise<OkFrame> {
    return new Promise((resolve, reject) => {
      const request = this.nextNumber();
      send(request);
      this.#waiting.set(request, { resolve, reject });
    });
  }

  answered(frame: OkFrame): void {
    this.#waiting.get(frame.request)?.resolve(frame);
    this.#waiting.delete(frame.request);
  }

  refused(request: number, error: ClientError): void {
    this.#waiting.get(request)?.reject(error);
    this.#waiting.delete(request);
  }

  /** The connection is gone: none of them will be answered. */
  lost(error: ClientError): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}

/**
 * Where the server put what was appended.
 *
 * @throws ClientError `invalid_answer`
 */
export function positionOf({ epoch, offset }: OkFrame): Position {
  if (epoch !== undefined && offset !== undefined) return { epoch, offset };
  throw noAnswer();
}

export function noAnswer(): ClientError {
  return new ClientError("invalid_answer", "the server's answer is not complete", "Update the server.");
}
