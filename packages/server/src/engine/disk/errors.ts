/** What can keep a disk engine from starting. */

export type DataDirProblem = "in_use" | "unreadable" | "damaged" | "other_format" | "no_room";

/** The folder cannot be used as it is. Nothing in it was changed. */
export class DataDirError extends Error {
  override readonly name = "DataDirError";
  readonly code = "data_dir";
  readonly problem: DataDirProblem;
  readonly remedy: string;

  constructor(problem: DataDirProblem, message: string, remedy: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.problem = problem;
    this.remedy = remedy;
  }
}

/** The remedy where data is damaged. */
export const BACKUP = "Put a backup in its place (see docs/storage.md), or give another dataDir.";
