/** Errors that keep a disk engine from starting. */
import { FanfareError, type SetupCode } from "@fanfare/protocol";

type Problem<Code = SetupCode> = Code extends `data_dir_${infer Name}` ? Name : never;

/** The folder cannot be used as it is. Nothing in it was changed. */
export function dataDirError(
  problem: Problem,
  message: string,
  remedy: string,
  cause?: unknown,
): FanfareError {
  return new FanfareError(`data_dir_${problem}`, message, { remedy, cause });
}

export function isDataDirError(error: unknown): error is FanfareError {
  return error instanceof FanfareError && error.code.startsWith("data_dir_");
}

/** The remedy where data is damaged. */
export const BACKUP = "Put a backup in its place (see docs/storage.md), or give another dataDir.";
