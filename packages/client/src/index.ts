/** The Fanfare client. */
export { createClient } from "./client.js";
export * from "./define-channels.js";
export * from "./lock-types.js";
export * from "./standard-schema.js";
export type { TypedClient } from "./typed-client.js";
export * from "./types.js";
