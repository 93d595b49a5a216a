/** The parts of which requests and answers are made, as schemas. Those of answers are there to be read, not to check. */
import { z } from "zod";
import { ACTIONS } from "../access/actions.js";

export const channelName = z.string().meta({
  description: "A channel name: segments of A-Z a-z 0-9 _ - . = @ , ; ~ split by colons.",
  minLength: 1,
  maxLength: 200,
  examples: ["order:42"],
});

/** Locks and sequences are named like channels. */
export const name = channelName.meta({
  description: "A name like that of a channel: segments of A-Z a-z 0-9 _ - . = @ , ; ~ split by colons.",
});

export const durable = z.boolean().meta({
  description: "Is it remembered, should the server's process end? As the engine says.",
});

/** `unknown`, because other types would drop keys without a word. */
export const data = z.unknown().meta({
  description: "Any JSON value: finite numbers, 64-bit integers as strings, at most 32 levels.",
  examples: [{ status: "paid" }],
});

export const event = z.string().meta({
  description: 'What kind of message; "message" unless given.',
  minLength: 1,
  maxLength: 200,
  examples: ["changed"],
});

export const key = z.string().meta({
  description:
    "Idempotency key: for 5 minutes the same message with the same key on the same channel is appended once.",
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
    title: z.string().meta({ description: "What the code means." }),
    status: z.int(),
    code: z.string().meta({ description: "Stable: programs may compare it." }),
    detail: z.string().meta({ description: "What happened this time, naming the value." }),
    remedy: z.string().meta({ description: "What to do." }),
    retryAfter: z.number().optional().meta({ description: "Seconds to wait before the next try." }),
  })
  .meta({ id: "Problem", description: "An error as problem details (RFC 9457)." });

/** A page of a list: where the next one begins. */
export const next = z
  .string()
  .nullable()
  .meta({ description: "Give it as `after` for the next page; null when this is the last." });

export const grant = z
  .strictObject({
    channels: z.string().meta({
      description: "A pattern: `*` is one segment, `**` one or more at the end, `{sub}` the id of the user.",
      examples: ["order:*"],
    }),
    actions: z.array(z.string()).meta({
      description: `${Object.entries(ACTIONS)
        .map(([name, { meaning }]) => `\`${name}\`: ${meaning}`)
        .join("; ")}. \`*\` is all that are about channels.`,
      examples: [["subscribe"]],
    }),
  })
  .meta({ id: "Grant" });

export const grants = z.array(grant);
