/** The names of all options. Without them a misspelt one would go unnoticed: with `getTokn` the page would be anonymous. */
import { shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { ClientOptions } from "./client-options.js";
import type { LockOptions, NextOptions } from "./lock-types.js";
import type { PatchOptions, PublishOptions, QueueOptions, SubscribeOptions } from "./types.js";

/** The compiler sees that none is missing, and none too many. */
type Names<T> = Readonly<Record<keyof T, 1>>;

export const CLIENT: Names<ClientOptions> = {
  url: 1,
  token: 1,
  getToken: 1,
  csrf: 1,
  queue: 1,
  WebSocket: 1,
  sse: 1,
  fetch: 1,
  clock: 1,
  random: 1,
  page: 1,
};
export const QUEUE: Names<QueueOptions> = { items: 1, ageSeconds: 1 };
export const MESSAGES: Names<Pick<SubscribeOptions, "since">> = { since: 1 };
export const SUBSCRIBE: Names<SubscribeOptions> = {
  since: 1,
  snapshot: 1,
  onGap: 1,
  onState: 1,
  onPresence: 1,
  onSubscribed: 1,
  onError: 1,
};
export const PUBLISH: Names<PublishOptions> = { event: 1, id: 1 };
export const PATCH: Names<PatchOptions> = { ifVersion: 1, id: 1 };
export const LOCK: Names<LockOptions> = { leaseSeconds: 1, info: 1, waitSeconds: 1 };
export const NEXT: Names<NextOptions> = { count: 1, id: 1 };

/** @throws ClientError `invalid_options` */
export function checkNames(options: object | undefined, known: object): void {
  if (options === null || typeof options === "function" || typeof (options ?? {}) !== "object") {
    throw new ClientError(
      "invalid_options",
      `the options are ${shown(options)}`,
      "Give an object, or leave it out.",
    );
  }
  const names = Object.keys(known);
  for (const name of Object.keys(options ?? {})) {
    if (names.includes(name)) continue;
    throw new ClientError(
      "invalid_options",
      `the option ${JSON.stringify(name)} is not known`,
      `Use ${names.join(", ")}.`,
    );
  }
}
