/** Fanfare as a library: everything that is public. */
export {
  type ChannelDefinition,
  type ChannelDefinitions,
  type DataOf,
  defineChannels,
  type EventOf,
  type InfoOf,
  type MessageOf,
  type NamesOf,
  type PatchOf,
  type StandardSchema,
  type StateOf,
} from "@fanfare/client";
export { type Epoch, FanfareError, type LockHolder, type LockRecord, type Position } from "@fanfare/protocol";
export type { Action } from "./access/actions.js";
export type { AccessRequest } from "./access/credentials.js";
export type { EntranceOptions } from "./access/entrance.js";
export type { ForwardedSessionOptions } from "./access/forwarded-session-options.js";
export type { Grant } from "./access/grants.js";
export type { ApiKey } from "./access/keys.js";
export type { RateOptions } from "./access/rate-options.js";
export type {
  AccessMode,
  AccessOptions,
  Authorized,
  AuthorizeHook,
  AuthorizeRequest,
} from "./access/settings.js";
export { type SignedToken, type SignOptions, signToken, type TokenRequest } from "./access/sign.js";
export type { TokenOptions } from "./access/token-options.js";
export type { Clock, Random, Timer } from "./clock.js";
export type { SocketIoOptions } from "./doors/socketio/options.js";
export { DiskEngine } from "./engine/disk/disk-engine.js";
export type { DiskEngineLimits, DiskEngineOptions } from "./engine/disk/disk-options.js";
export { DataDirError, type DataDirProblem } from "./engine/disk/errors.js";
export type * from "./engine/engine.js";
export { MemoryEngine, type MemoryEngineOptions } from "./engine/memory-engine.js";
export { SingleNodeEngineError } from "./engine/single-node.js";
export { type CloseOptions, createFanfare, type Fanfare } from "./fanfare.js";
export type { ServiceOptions } from "./feathers/service-options.js";
export { ReservedPathError, type ReservedPaths } from "./http/path.js";
export type { ChannelEvent, ConnectionEvent, LifecycleEvents, LifecycleListener } from "./hub/lifecycle.js";
export type { Limits } from "./hub/limits.js";
export { LockRefusedError } from "./hub/lock-record.js";
export type { Member } from "./hub/presence/member.js";
export { type PresenceOptions, RuleError, type RuleOptions } from "./hub/rules.js";
export type { Lock, LockOptions, LocksAndSequences, NextOptions } from "./locks-and-sequences.js";
export type { Log } from "./log.js";
export type {
  History,
  HistoryMessage,
  HistoryOptions,
  Messages,
  Published,
  PublishOptions,
} from "./messages.js";
export type { FanfareOptions, ReloadOptions } from "./options.js";
export type { Places } from "./places.js";
export type { PresenceListOptions, PresenceLists, Present } from "./presence-lists.js";
export { type MessageToMany, type MessageToPublish, PublishManyError } from "./publish-many.js";
export type { ChangeOptions, HeldState, JsonObject, States } from "./states.js";
export { ChannelDefinitionError } from "./typed/typed-channels.js";
export type { TypedFanfare, TypedHistory } from "./typed/typed-fanfare.js";
