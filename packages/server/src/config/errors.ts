/** A configuration that cannot be followed: everything that is wrong with it, at once. */
import { UsageError } from "../base/usage-error.js";

export class ConfigError extends UsageError {
  /** One sentence each, with what would be right. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const [first = ""] = problems;
    const list = problems.map((problem) => `\n  - ${problem}`).join("");
    super(
      problems.length === 1 ? first : `${problems.length} things are wrong with the configuration${list}`,
      "fanfare config --docs describes every option.",
    );
    this.problems = problems;
  }
}
