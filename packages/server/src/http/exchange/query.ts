/** Reads the parameters of an address, as strictly as a body. */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Context } from "hono";
import { z } from "zod";
import { check } from "../../base/check.js";
import { bare } from "../../base/schema-parts.js";

/**
 * The parameters that a schema knows, each given once, or as often as wanted where it is a list. It ignores names that
 * begin with `_`, with which clients pass caches by.
 *
 * @throws FanfareError `invalid_request`
 */
export function readQuery<T>(c: Context, schema: z.ZodObject & z.ZodType<T>): T {
  const values: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(c.req.queries())) {
    if (name.startsWith("_")) continue;
    const known: z.ZodType | undefined = schema.shape[name];
    if (known && bare(known) instanceof z.ZodArray) values[name] = given;
    else if (known && given.length > 1) throw givenTwice(name, given.length);
    else values[name] = given[0];
  }
  return check(schema, values, "query");
}

function givenTwice(name: string, times: number): FanfareError {
  return new FanfareError("invalid_request", `the parameter ${quote(name)} is given ${times} times`, {
    remedy: "Give it once.",
  });
}
