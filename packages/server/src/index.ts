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
export {
  type Epoch,
  type ErrorCode,
  FanfareError,
  type FanfareErrorOptions,
  type HeldState,
  type LockHolder,
  type LockRecord,
  type Member,
  type Numbers,
  type Position,
  type Published,
  type SetupCode,
} from "@fanfare/protocol";
export type { ForwardedSessionOptions } from "./access/forwarded-session-options.js";
export type { Action } from "./access/grants/actions.js";
export type { AccessRequest } from "./access/grants/credentials.js";
export type { Grant } from "./access/grants/grants.js";
export type { RateOptions } from "./access/rates/rate-options.js";
export type {
  AccessMode,
  AccessOptions,
  Authorized,
  AuthorizeHook,
  AuthorizeRequest,
} from "./access/settings.js";
export type { ApiKey } from "./access/store/keys.js";
export { type SignedToken, type SignOptions, signToken, type TokenRequest } from "./access/tokens/sign.js";
export type { TokenOptions } from "./access/tokens/token-options.js";
export type { Clock, Random, Timer } from "./base/clock.js";
export type { Log } from "./base/log.js";
export type { ReservedPaths } from "./base/path.js";
export type { SocketIoOptions } from "./doors/socketio/options.js";
export { DiskEngine } from "./engine/disk/disk-engine.js";
export type { DiskEngineLimits, DiskEngineOptions } from "./engine/disk/disk-options.js";
export type * from "./engine/engine.js";
export { MemoryEngine, type MemoryEngineOptions } from "./engine/memory/memory-engine.js";
export { EngineServer, type EngineServerOptions } from "./engine/remote/engine-server.js";
export { RemoteEngine, type RemoteEngineOptions } from "./engine/remote/remote-engine.js";
export { StateConflictError } from "./engine/state-conflict.js";
export type { ServiceOptions } from "./feathers/service-options.js";
export type { ChannelEvent, ConnectionEvent, LifecycleEvents, LifecycleListener } from "./hub/lifecycle.js";
export type { Limits } from "./hub/terms/limits.js";
export type { PresenceOptions, RuleOptions } from "./hub/terms/rule-options.js";
export { type CloseOptions, createFanfare, type Fanfare } from "./library/fanfare.js";
export type { FanfareLocks, Lock, LockOptions } from "./library/locks.js";
export type {
  History,
  HistoryMessage,
  HistoryOptions,
  Messages,
  PublishOptions,
} from "./library/messages.js";
export type { FanfareOptions, ReloadOptions } from "./library/options.js";
export type { Places } from "./library/places.js";
export type { FanfarePresence, PresenceListOptions, Present } from "./library/presence.js";
export type { MessageToMany, MessageToPublish } from "./library/publish-many.js";
export type { FanfareSequences, NextOptions } from "./library/sequences.js";
export type { ChangeOptions, FanfareStates, JsonObject } from "./library/states.js";
export type { TypedFanfare, TypedHistory, TypedPresence, TypedStates } from "./library/typed-fanfare.js";
