/** Requests under way on one connection: which answer belongs to which, and how subscribes travel together. */

/** Bytes of one frame, at most; the server takes more, but not much. */
const BATCH_BYTES = 32 * 1024;
const BATCH_CHANNELS = 1000;

export interface SubscribeItem {
  readonly channel: string;
  readonly since?: { readonly epoch: string; readonly offset: number };
  readonly state?: boolean;
}

/** Splits what is to be subscribed into frames that are not too large. Channel names are ASCII, so a character is a byte. */
export function splitBatches(items: readonly SubscribeItem[]): SubscribeItem[][] {
  const batches: SubscribeItem[][] = [];
  let batch: SubscribeItem[] = [];
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
