/** Reads the headers of requests where that costs least: every request asks for several. */
import type { Context } from "hono";
import type { HttpEnv } from "./context.js";

/** Those that a request has once. Of several, Node tells the first, where Hono joins them to what nobody accepts. */
type Single = "authorization" | "host";

/**
 * A header; `undefined` where there is none.
 *
 * @param name in lower case
 */
export function headerOf<Name extends string>(
  c: Context<HttpEnv>,
  name: Name extends Single ? never : Lowercase<Name>,
): string | undefined {
  const headers = c.env?.incoming?.headers;
  if (!headers) return c.req.header(name);
  const value = headers[name];
  return typeof value === "string" ? value : value?.join(", ");
}
