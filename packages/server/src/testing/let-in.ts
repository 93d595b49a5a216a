/** What anonymous clients may do on the server of a test that does not say it. */

import type { Grant } from "../access/grants/grants.js";
import type { AccessOptions } from "../access/settings.js";

/** The grants of clients that only listen. */
export const LISTEN: readonly Grant[] = [{ channels: "**", actions: ["subscribe", "history"] }];

/** Everything, where the options do not say otherwise. */
export function lettingAllIn<Options extends AccessOptions>(options: Options): Options {
  return "access" in options || "anonymous" in options ? options : { ...options, access: "open" };
}

/** Listening, where the options neither say otherwise nor let users log in. */
export function lettingAllListen<Options extends AccessOptions>(options: Options): Options {
  const said = ["access", "anonymous", "tokens", "authorize", "forwardedSession"];
  return said.some((name) => name in options) ? options : { ...options, anonymous: LISTEN };
}
