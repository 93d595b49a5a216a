/** The words that a Fanfare server and its clients speak. Types and pure functions; no input or output. */
export {
  type ChannelName,
  isChannelName,
  MAX_CHANNEL_LENGTH,
  OWN_KINDS,
  type OwnKind,
  ownChannel,
  parseAudibleName,
  parseChannelName,
  plainName,
} from "./channel.js";
export { CLOSE, type CloseCode, ERRORS, type ErrorCode, type ErrorMeaning } from "./codes.js";
export { FanfareError, type FanfareErrorOptions, printable, quote } from "./errors.js";
export * from "./frames.js";
export {
  applyMergePatch,
  findNullMember,
  isJsonObject,
  type JsonObject,
  mergePatches,
} from "./merge-patch.js";
export { bySpecificity, includes, matches, type Pattern, parsePattern } from "./pattern.js";
export { type Epoch, formatPosition, isEpoch, type Position, parseEpoch, parsePosition } from "./position.js";
export type { LockHolder, LockRecord, SequenceRecord } from "./shared.js";
export { findValueProblem, formatPath, MAX_DEPTH, type ValueProblem } from "./value.js";
