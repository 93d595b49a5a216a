/** The Fanfare client. */
export { createClient } from "./client.js";
export * from "./types.js";
