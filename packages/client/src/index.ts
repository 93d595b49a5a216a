/** The Fanfare client. */
export type {
  ErrorCode,
  GapReason,
  JsonObject,
  LockHolder,
  LockRecord,
  Member,
  Numbers,
} from "@fanfare/protocol";
export { createClient } from "./client.js";
export * from "./client-error.js";
export type * from "./client-options.js";
export type * from "./client-types.js";
export * from "./define-channels.js";
export type * from "./lock-types.js";
export * from "./standard-schema.js";
export type { TypedClient } from "./typed-client.js";
export type * from "./types.js";
