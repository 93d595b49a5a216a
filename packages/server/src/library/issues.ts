/** Says what is wrong with a value, in a sentence for its sender. */
import type { SchemaIssue } from "@fanfare/client";
import { formatPath, printable } from "@fanfare/protocol";

/** This many are told; a caller that mends these sees the next. */
const MAX_TOLD = 3;

/** The first issues, each with the way to the value, such as `data.items[3].price: expected number`. */
export function sayIssues(name: string, issues: readonly SchemaIssue[]): string {
  const told = issues.slice(0, MAX_TOLD).map(({ message, path = [] }) => {
    // Not `map`: a library may have arrays of a class of its own, which `map` would make another of.
    const keys = Array.from(path, (step) => (typeof step === "object" ? step.key : step));
    return `${formatPath(name, keys)}: ${printable(message)}`;
  });
  const more = issues.length - told.length;
  return more > 0 ? `${told.join("; ")}; and ${more} more` : told.join("; ");
}
