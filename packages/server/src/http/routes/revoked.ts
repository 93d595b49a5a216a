/** How it is answered that something was taken back, which holds in any case, also where it could not be written down. */
import type { Context } from "hono";
import { z } from "zod";
import type { RevokedAnswer } from "../../access/store/revoking.js";
import type { Answer } from "../exchange/route.js";

const pendingSchema = z
  .object({
    pending: z.literal(true),
    reason: z.string(),
    remedy: z.string(),
  })
  .meta({ id: "RevokedForNow", description: "It holds, and the server goes on trying to write it down." });

const PENDING: z.infer<typeof pendingSchema> = {
  pending: true,
  reason:
    "it holds in this process, and could not be written down, or not be told to other nodes; the log says why",
  remedy:
    "See that the server may write to its dataDir, and that there is room. It goes on trying by itself; a restart before that forgets it.",
};

/** @param description what 204 says */
export function revokedAnswers(description: string): Readonly<Record<number, Answer>> {
  return {
    200: {
      description: "The same, but a restart of the server would forget it for now.",
      schema: pendingSchema,
    },
    204: { description },
  };
}

export function answerRevoked(c: Context, { pending }: RevokedAnswer): Response {
  return pending ? c.json(PENDING, 200, { "Cache-Control": "no-store" }) : c.body(null, 204);
}
