/** What access remembers beyond the configuration: keys, and what was revoked; and how it is written. Knows no place for it. */
import { quote } from "@fanfare/protocol";
import { z } from "zod";
import { Grants } from "../grants/grants.js";
import type { StoredKey } from "./keys.js";

/** A token that is not accepted any more, by its id. */
export interface RevokedToken {
  readonly id: string;
  /** Milliseconds since 1970 from when it need not be remembered: it has expired. */
  readonly until: number;
}

/** A user whose tokens are not accepted any more, as far as they were issued before. */
export interface RevokedUser {
  readonly user: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The same, from when it need not be remembered. */
  readonly until: number;
}

export interface AccessData {
  readonly keys: readonly StoredKey[];
  readonly revokedTokens: readonly RevokedToken[];
  readonly revokedUsers: readonly RevokedUser[];
}

export const NOTHING_STORED: AccessData = { keys: [], revokedTokens: [], revokedUsers: [] };

/** The parts of it, each of which is one value. */
export const PARTS = ["keys", "revokedTokens", "revokedUsers"] as const;
export type Part = (typeof PARTS)[number];

const milliseconds = z.number().nonnegative();
const schemas = {
  keys: z.array(
    z.object({
      id: z.string().min(1),
      name: z.string(),
      hash: z.string().regex(/^[0-9a-f]{64}$/),
      grants: z.unknown().transform((value) => new Grants(value, null).list),
      created: milliseconds,
    }),
  ),
  revokedTokens: z.array(z.object({ id: z.string(), until: milliseconds })),
  revokedUsers: z.array(z.object({ user: z.string(), at: milliseconds, until: milliseconds })),
};

/**
 * The same data with another part, as it was written.
 *
 * @throws TypeError when it is not of this form
 */
export function withPart(data: AccessData, part: Part, text: string): AccessData {
  try {
    return { ...data, [part]: schemas[part].parse(JSON.parse(text)) };
  } catch (error) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    const why = issue ? `${issue.path.join(".")}: ${issue.message}` : String(error);
    throw new TypeError(`what is stored as ${part} is not what Fanfare wrote (${quote(why, 200)})`);
  }
}
