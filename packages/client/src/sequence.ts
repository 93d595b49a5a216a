/** A subscription as an asynchronous sequence, which ends with the connection. */

import { ClientError } from "./client-error.js";
import type { Client } from "./client-types.js";
import type { Gap, Message, SubscribeOptions } from "./types.js";

/** What a loop that is slower than its channel may leave waiting; what is beyond becomes a gap. */
const MAX_WAITING = 10_000;

type Item<Data> = Message<Data> | Gap;

/** What a channel delivers from this call on, until the loop ends, or the connection for good. */
export function messagesOf<Data>(
  client: Pick<Client, "subscribe" | "on" | "connection"> & { error(error: Error): void },
  channel: string,
  options: Pick<SubscribeOptions, "since">,
): AsyncIterableIterator<Item<Data>> {
  const waiting: Item<Data>[] = [];
  /** The call of `next` that found nothing. */
  const idle: (() => void)[] = [];
  let failure: Error | null = null;
  let ended = false;

  const wake = () => {
    for (const look of idle.splice(0)) look();
  };
  const add = (item: Item<Data>) => {
    const last = waiting.at(-1);
    const offset = item.type === "message" ? item.offset : item.to;
    if (waiting.length < MAX_WAITING) waiting.push(item);
    else if (last?.type === "gap") waiting[waiting.length - 1] = { ...last, to: offset };
    else
      waiting.push({
        type: "gap",
        channel,
        reason: "too_slow",
        from: item.type === "message" ? offset : item.from,
        to: offset,
      });
    wake();
  };
  const subscription = client.subscribe<Data>(channel, add, {
    ...options,
    onGap: add,
    onError(error) {
      // The client asks again, and the loop goes on.
      if (error instanceof ClientError && error.passes) {
        client.error(error);
        return;
      }
      failure = error;
      wake();
    },
  });
  const off = client.on("connection", wake);
  const end = () => {
    ended = true;
    off();
    subscription.unsubscribe();
    wake();
    return Promise.resolve({ done: true, value: undefined } as const);
  };

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (!ended) {
        const item = waiting.shift();
        if (item) return { done: false, value: item };
        if (failure) {
          await end();
          throw failure;
        }
        // Looked at now: a handler of the page may have connected anew.
        const { connection } = client;
        if (connection.status === "closed") {
          await end();
          if (connection.code === null) break;
          throw new ClientError("not_connected", connection.reason, connection.remedy);
        }
        await new Promise<void>((look) => idle.push(look));
      }
      return { done: true, value: undefined };
    },
    return: end,
  };
}
