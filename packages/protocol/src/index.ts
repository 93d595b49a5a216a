/** The words that a Fanfare server and its clients speak. Types and pure functions; no input or output. */
export {
  CHANNEL_PATTERN,
  type ChannelName,
  isChannelName,
  isDots,
  MAX_CHANNEL_LENGTH,
  OWN_KINDS,
  type OwnKind,
  ownChannel,
  parseAudibleName,
  parseChannelName,
  plainName,
  SEGMENT_PATTERN,
} from "./channel.js";
export {
  CLOSE,
  type CloseCode,
  ERRORS,
  type ErrorCode,
  type ErrorMeaning,
  REMEDIES_OF_RETURN,
  SETUP_ERRORS,
  type SetupCode,
} from "./codes.js";
export { asError, FanfareError, type FanfareErrorOptions, printable, quote, shown } from "./errors.js";
export * from "./frames.js";
export {
  applyMergePatch,
  findNullMember,
  isJsonObject,
  type JsonObject,
  mergePatches,
} from "./merge-patch.js";
export { bySpecificity, includes, matches, type Pattern, parsePattern } from "./pattern.js";
export {
  type Epoch,
  formatPosition,
  isEpoch,
  type Position,
  parseEpoch,
  parsePosition,
  readPosition,
} from "./position.js";
export type {
  HeldState,
  LockHolder,
  LockRecord,
  Member,
  Numbers,
  Published,
  SequenceRecord,
} from "./shared.js";
export { findValueProblem, formatPath, MAX_DEPTH, type ValueProblem } from "./value.js";
