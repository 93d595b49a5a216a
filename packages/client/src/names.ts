/** The names of all options, and what each may be. Else a misspelt one would go unnoticed: with `getTokn` the page would be anonymous. */
import { shown } from "@fanfare/protocol";
import { ClientError } from "./client-error.js";
import type { ClientOptions } from "./client-options.js";
import type { LockOptions, NextOptions } from "./lock-types.js";
import type { PatchOptions, PublishOptions, QueueOptions, SubscribeOptions } from "./types.js";

/** What a value has to be, as `typeof` names it, or `full`: a text that is not empty. Elsewhere looked at more closely: `any`. */
type Kind = "any" | "boolean" | "full" | "function" | "number" | "object" | "string";

/** The compiler sees that none is missing, and none too many. */
type Names<T> = Readonly<Record<keyof T, Kind>>;

export const CLIENT: Names<ClientOptions> = {
  url: "any",
  token: "full",
  getToken: "function",
  csrf: "function",
  queue: "any",
  WebSocket: "function",
  sse: "boolean",
  fetch: "function",
  clock: "object",
  random: "function",
  page: "object",
};
export const QUEUE: Names<QueueOptions> = { items: "any", ageSeconds: "any" };
export const MESSAGES: Names<Pick<SubscribeOptions, "since">> = { since: "any" };
export const SUBSCRIBE: Names<SubscribeOptions> = {
  since: "any",
  snapshot: "function",
  onGap: "function",
  onState: "function",
  onPresence: "function",
  onSubscribed: "function",
  onError: "function",
};
export const PUBLISH: Names<PublishOptions> = { event: "string", id: "string" };
export const PATCH: Names<PatchOptions> = { ifVersion: "any", id: "string" };
export const LOCK: Names<LockOptions> = { leaseSeconds: "number", info: "any", waitSeconds: "any" };
export const NEXT: Names<NextOptions> = { count: "number", id: "string" };

const REMEDIES: Readonly<Record<Kind, string>> = {
  any: "",
  boolean: "true or false",
  full: "a text that is not empty",
  function: "a function",
  number: "a number",
  object: "an object",
  string: "a text",
};

/** @throws ClientError `invalid_options` */
export function checkOptions(
  options: object | undefined,
  known: Readonly<Record<string, Kind>>,
  what = "the options are",
): void {
  if (options === undefined) return;
  if (!is("object", options)) throw wrong(what, options, "Give an object, or leave it out.");
  const names = Object.keys(known);
  for (const [name, value] of Object.entries(options)) {
    const kind = names.includes(name) && known[name];
    if (!kind) {
      throw new ClientError(
        "invalid_options",
        `the option ${JSON.stringify(name)} is not known`,
        `Use ${names.join(", ")}.`,
      );
    }
    if (value !== undefined && !is(kind, value))
      throw wrong(`${name} is`, value, `Give ${REMEDIES[kind]}, or leave it out.`);
  }
}

function is(kind: Kind, value: unknown): boolean {
  if (kind === "full") return typeof value === "string" && value !== "";
  // JSON has no other numbers.
  if (kind === "number") return Number.isFinite(value);
  return kind === "any" || (typeof value === kind && value !== null);
}

function wrong(what: string, value: unknown, remedy: string): ClientError {
  return new ClientError("invalid_options", `${what} ${shown(value)}`, remedy);
}
