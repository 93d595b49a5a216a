/** The parts of which requests and answers are made, as schemas. Those of answers are there to be read, not to check. */
import { CHANNEL_PATTERN, MAX_CHANNEL_LENGTH, OWN_KINDS, SEGMENT_PATTERN } from "@fanfare/protocol";
import { z } from "zod";
import { ACTIONS, EVERY_ACTION } from "../../access/grants/actions.js";
import { MAX_GRANTS } from "../../access/grants/grants.js";

export const channelName = z.string().meta({
  description:
    "A channel name: segments of A-Z a-z 0-9 _ - . = @ , ; ~ split by colons; not . and .. as a whole.",
  minLength: 1,
  maxLength: MAX_CHANNEL_LENGTH,
  pattern: CHANNEL_PATTERN,
  examples: ["order:42"],
});

/** A channel that clients can listen to: an ordinary one, or one of the server's own. */
export const audibleName = channelName.meta({
  description: `A channel name, or one of the server's own: ${OWN_KINDS.map((kind) => `$${kind}:name`).join(", ")}.`,
  pattern: CHANNEL_PATTERN.replace(
    "^",
    `^(?:\\$(?:${OWN_KINDS.join("|")}):)?(?=.{1,${MAX_CHANNEL_LENGTH}}$)`,
  ),
  maxLength: MAX_CHANNEL_LENGTH + Math.max(...OWN_KINDS.map((kind) => `$${kind}:`.length)),
});

/** Locks and sequences are named like channels. */
export const name = channelName.meta({
  description:
    "A name like that of a channel: segments of A-Z a-z 0-9 _ - . = @ , ; ~ split by colons; not . and .. as a whole.",
});

export const durable = z.boolean().meta({
  description: "Is it remembered, should the server's process end? As the engine says.",
});

const JSON_REF = { $ref: "#/components/schemas/Json" } as const;
const SAFE = Number.MAX_SAFE_INTEGER;

/** `unknown`, because other types would drop keys without a word. */
export const data = z.unknown().meta({
  id: "Json",
  anyOf: [
    { type: ["null", "boolean", "string"] },
    { type: "number", minimum: -SAFE, maximum: SAFE },
    { type: "array", items: JSON_REF },
    { type: "object", additionalProperties: JSON_REF },
  ],
  description: "Any JSON value: finite numbers, 64-bit integers as strings, at most 32 levels.",
  examples: [{ status: "paid" }],
});

export const event = z.string().meta({
  description: 'The kind of message; "message" unless given.',
  minLength: 1,
  maxLength: 200,
  examples: ["changed"],
});

export const publisher = z.string().meta({
  description:
    "The secret of an anonymous caller, 16 to 64 printable characters that it has drawn at random. Its idempotency keys are its own, on all doors. Without it, anonymous callers of one address share their keys.",
});

export const id = z.string().meta({
  description:
    "Idempotency key: for 5 minutes the same message with the same id on the same channel is appended once.",
  minLength: 1,
  maxLength: 200,
});

export const epoch = z.string().meta({
  description: "Says which log this is; another one when the log had to start over.",
  pattern: "^[0-9a-f]{16}$",
  examples: ["6f0d2b7c91a4e835"],
});

export const count = z.int().min(0);

export const offset = count.meta({ description: "1, 2, 3 … within the epoch." });

export const milliseconds = count.meta({ description: "Milliseconds since 1970." });

export const positionText = z.string().meta({
  description: "A position as text, epoch:offset.",
  pattern: "^[0-9a-f]{16}:(0|[1-9][0-9]{0,15})$",
  examples: ["6f0d2b7c91a4e835:17"],
});

/** Where a message stands. */
export const published = z
  .object({ channel: channelName, epoch, offset })
  .meta({ id: "Published", description: "Where the message stands." });

export const problem = z
  .object({
    type: z.string().meta({ examples: ["urn:fanfare:error:invalid_request"] }),
    title: z.string().meta({ description: "The meaning of the code." }),
    status: z.int(),
    code: z.string().meta({ description: "Stable: programs may compare it." }),
    detail: z.string().meta({ description: "The fault of this call; it names the value." }),
    remedy: z.string().meta({ description: "How to mend it." }),
    retryAfterSeconds: z.number().optional().meta({ description: "Seconds to wait before the next try." }),
  })
  .meta({ id: "Problem", description: "An error as problem details (RFC 9457)." });

/** A page of a list: where the next one begins. */
export const next = z
  .string()
  .nullable()
  .meta({ description: "Give it as `after` for the next page; null when this is the last." });

/** @param segments what a segment may be beside a literal */
function grantOf(id: string, segments: readonly string[], description: string) {
  const segment = `(?:${[SEGMENT_PATTERN.slice(1, -1), ...segments].join("|")})`;
  return z
    .strictObject({
      channels: z.string().meta({
        description,
        minLength: 1,
        maxLength: MAX_CHANNEL_LENGTH,
        pattern: `^(?:\\*\\*|${segment}(?::${segment})*(?::\\*\\*)?)$`,
        examples: ["order:*"],
      }),
      actions: z.array(z.string().meta({ enum: [...Object.keys(ACTIONS), EVERY_ACTION] })).meta({
        description: `${Object.entries(ACTIONS)
          .map(([name, { meaning }]) => `\`${name}\`: ${meaning}`)
          .join("; ")}. \`*\` is all that are about channels.`,
        minItems: 1,
        examples: [["subscribe"]],
      }),
    })
    .meta({
      id,
      if: { properties: { actions: { contains: { const: "admin" } } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { channels: { const: "**" } } },
    });
}

const PATTERN = "A pattern: `*` is one segment, `**` one or more at the end";

/** A grant of a user. */
export const grant = grantOf("Grant", ["\\*", "\\{sub\\}"], `${PATTERN}, \`{sub}\` the id of the user.`);
export const grants = z.array(grant).meta({ maxItems: MAX_GRANTS });

/** Grants of an API key, which has no user. */
export const keyGrants = z.array(grantOf("KeyGrant", ["\\*"], `${PATTERN}.`)).meta({ maxItems: MAX_GRANTS });
