/** Checks of the server itself, as part of a schema. */
import type { z } from "zod";

/** Runs the check that the server itself makes, so that what passes here is never refused there. */
export function explain(context: z.RefinementCtx, check: () => unknown): void {
  // A part of it is wrong, which has been told.
  if (context.issues.length > 0) return;
  try {
    check();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const remedy = "remedy" in error ? ` ${String(error.remedy)}` : "";
    const message = `${error.message.replace(/\.?$/, ".")}${remedy}`;
    context.addIssue({ code: "custom", message, params: { explained: true } });
  }
}
