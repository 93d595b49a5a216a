/** What the application says about a user, for those who see that he is present. */
import { FanfareError, findValueProblem } from "@fanfare/protocol";

/** The most bytes as JSON in UTF-8. */
const MAX_INFO_BYTES = 1024;

/**
 * As a user carries it; nothing where nothing is said.
 *
 * @throws FanfareError `invalid_request`
 */
export function infoOf(value: unknown): { readonly info?: string } {
  if (value === undefined) return {};
  const problem = findValueProblem(value, MAX_INFO_BYTES, "info");
  if (problem?.code === "invalid_value") {
    throw new FanfareError("invalid_request", problem.message, { remedy: problem.remedy });
  }
  const json = problem ? null : JSON.stringify(value);
  if (json !== null && Buffer.byteLength(json) <= MAX_INFO_BYTES) return { info: json };
  const size = json === null ? "longer" : `${Buffer.byteLength(json)} bytes`;
  throw new FanfareError(
    "invalid_request",
    `info is ${size} as JSON, and ${MAX_INFO_BYTES} bytes are allowed`,
    {
      remedy: "Put a name and a picture's address into it, and leave the rest to the page.",
    },
  );
}
