/** A Fanfare in your own server: everything put together behind one small interface. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { ChannelDefinitions } from "@fanfare/client";
import {
  type Epoch,
  FanfareError,
  formatPosition,
  type Position,
  parseChannelName,
  parsePosition,
} from "@fanfare/protocol";
import { Access } from "./access/access.js";
import { Entrance } from "./access/entrance.js";
import { FileStore } from "./access/file-store.js";
import { accessSettings } from "./access/settings.js";
import type { SignedToken, TokenRequest } from "./access/sign.js";
import { MemoryStore } from "./access/store.js";
import { type Clock, type Random, systemClock, systemRandom } from "./clock.js";
import type { Door, DoorHost } from "./doors/door.js";
import { Guests } from "./doors/guests.js";
import { SocketIoDoor } from "./doors/socketio/door.js";
import { socketIoSettings } from "./doors/socketio/options.js";
import { SseDoor } from "./doors/sse/door.js";
import { TimingWheel } from "./doors/timing-wheel.js";
import { WebSocketDoor } from "./doors/websocket/door.js";
import { DividedEngine } from "./engine/divided-engine.js";
import type { Engine } from "./engine/engine.js";
import { MemoryEngine } from "./engine/memory-engine.js";
import { engineLimits } from "./engine-limits.js";
import { Services } from "./feathers/services.js";
import { createApp } from "./http/app.js";
import { DEFAULT_PAGE } from "./http/check.js";
import { feathersPlaces } from "./http/feathers.js";
import { createListener } from "./http/listener.js";
import { checkHistoryLimit, DEFAULT_HISTORY, toPublic } from "./http/messages.js";
import { answerNothingHere, type Mounted, mount, nothingServedAt } from "./http/mount.js";
import { checkPath, isAt, isUnder } from "./http/path.js";
import { Disconnects } from "./hub/disconnects.js";
import type { StateInput } from "./hub/draft.js";
import { Hub } from "./hub/hub.js";
import type { LifecycleEvents, LifecycleListener } from "./hub/lifecycle.js";
import type { Limits } from "./hub/limits.js";
import type { Member } from "./hub/presence/member.js";
import { Rules } from "./hub/rules.js";
import { Sessions } from "./hub/sessions.js";
import { type LocksAndSequences, locksAndSequences } from "./locks-and-sequences.js";
import { silentLog } from "./log.js";
import { checkLimits, type FanfareOptions, type ReloadOptions } from "./options.js";
import { type MessageToMany, type MessageToPublish, publishMany } from "./publish-many.js";
import { refuseUpgrade } from "./refuse-upgrade.js";
import { TypedChannels } from "./typed/typed-channels.js";
import type { TypedFanfare } from "./typed/typed-fanfare.js";
import { VERSION } from "./version.js";

export interface PublishOptions {
  /** What kind of message. @default "message" */
  readonly event?: string;
  /** Idempotency key: the same message with the same key is appended once within 5 minutes. */
  readonly key?: string;
}

/** Where a message stands. */
export interface Published extends Position {
  readonly channel: string;
}

/** A JSON object; `null` within a patch removes a member. */
export type JsonObject = { readonly [key: string]: unknown };

/** The state of a channel, and the position of its last change, which is its version. */
export interface HeldState<State = JsonObject> extends Position {
  readonly channel: string;
  readonly state: State;
}

export interface ChangeOptions {
  /**
   * Changes the state only while it is this version, given as a position or as the text `epoch:offset`; `null`: only while there
   * is none. @default whatever it is
   */
  readonly ifVersion?: Position | string | null;
  /** Idempotency key: the same change with the same key is made once within 5 minutes. */
  readonly key?: string;
}

/** A message of a channel's log. */
export interface HistoryMessage {
  readonly channel: string;
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly event: string;
  readonly data: unknown;
  readonly user?: string;
  /** The publisher's idempotency key. */
  readonly id?: string;
}

export interface History {
  readonly channel: string;
  readonly epoch: Epoch;
  /** Offset of the oldest message held; `head + 1` when none is. */
  readonly first: number;
  /** Offset of the newest message. */
  readonly head: number;
  /** Oldest first. */
  readonly messages: readonly HistoryMessage[];
}

export interface HistoryOptions {
  /** Only what came after this position, given as such or as the text `epoch:offset`. */
  readonly after?: Position | string;
  /** 1 to 1,000. @default 100 */
  readonly limit?: number;
}

export interface PresenceListOptions {
  /** Only those with an id after this one. */
  readonly after?: string;
  /** 1 to 1,000. @default 100 */
  readonly limit?: number;
}

/** Who is on a channel. */
export interface Present {
  readonly channel: string;
  /** How many there are in all. */
  readonly count: number;
  readonly members: readonly Member[];
  /** Give it as `after` for the next page; `null` when this is the last. */
  readonly next: string | null;
}

export interface CloseOptions {
  /** Milliseconds after which connections that are still open are cut off. @default 10,000 */
  readonly withinMs?: number;
}

export interface Fanfare extends LocksAndSequences {
  readonly path: string;
  /**
   * Serves this Fanfare on a Node HTTP server, WebSockets included, under its path; what is for other paths goes to the
   * server's own listeners. May be called for several servers.
   *
   * @throws TypeError when the server has a Fanfare with this path
   * @throws FanfareError `unavailable` when this Fanfare is closed
   */
  attach(server: Server): void;
  /** Answers an HTTP request, for servers that speak web-standard `Request` and `Response`. WebSockets need `attach`. */
  fetch(request: Request): Promise<Response>;
  /** Answers an HTTP request of a Node server or of Express; calls `next` for paths that are not its own. */
  readonly handler: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /**
   * Publishes to a channel. Resolves when the message is in the log; every subscription gets it.
   *
   * @param channel such as `order:42`
   * @param data any JSON value, at most 64 KiB
   * @throws FanfareError `invalid_channel`, `invalid_value`, `invalid_data`, `invalid_request`, `too_large`, `key_reused`, `unavailable`
   * @example await fanfare.publish("order:42", { status: "paid" });
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Published>;
  /**
   * Publishes many messages, or one to many channels. All are checked before anything is appended; then they are appended in order,
   * each by itself, so that one which is refused does not stop the others.
   *
   * @returns where each stands, in order
   * @throws FanfareError as {@link publish}, when none was appended; PublishManyError when some were, and `results` says which
   * @example await fanfare.publishMany({ channels: ["team:1", "team:2"], event: "closing", data: { minutes: 10 } });
   */
  publishMany(messages: readonly MessageToPublish[] | MessageToMany): Promise<Published[]>;
  /**
   * What a channel's log holds.
   *
   * @throws FanfareError `invalid_channel`, `invalid_position`, `invalid_request`, `unavailable`
   */
  history(channel: string, options?: HistoryOptions): Promise<History>;
  /**
   * The newest position of a channel. Read it before the data that a page is rendered from, and hand it to the page as the
   * `since` of its subscription: then nothing is missed in between. @throws FanfareError `invalid_channel`, `unavailable`
   */
  position(channel: string): Promise<Position>;
  /**
   * Makes a token for a user, with the first of `tokens.secrets`: hand it to the page, which gives it to `createClient`.
   *
   * @throws FanfareError `not_configured` without a secret, `invalid_grants`, `invalid_request`
   * @example
   * const { token } = await fanfare.token({ user: "alice", grants: [{ channels: "order:*", actions: ["subscribe"] }] });
   */
  token(request: TokenRequest): Promise<SignedToken>;
  /**
   * Logs a user out: closes the connections that he has, on all nodes, and accepts no token any more that was made until now.
   *
   * @throws FanfareError `unavailable`
   */
  logOut(user: string): Promise<void>;
  /**
   * Goes on with other keys, tokens, grants, origins, proxies, rates and rules; those that are left out have their defaults. Clients
   * stay connected, as far as they still may; what they may not hear any more is ended. A rule's `auto` is for connections to come.
   *
   * @throws TypeError, RuleError, FanfareError `invalid_grants`, `invalid_pattern`; then nothing was changed
   */
  reload(options: ReloadOptions): void;
  /**
   * The state of a channel; `null` when it has none.
   *
   * @throws FanfareError `invalid_channel`, `unavailable`
   */
  state(channel: string): Promise<HeldState | null>;
  /**
   * Changes members of a channel's state by a JSON Merge Patch (RFC 7396). Resolves when it is in the log; every subscription
   * gets it, and newcomers get the whole. Patches of one process to a channel are made in the order of the calls.
   *
   * @param patch the members to change, at most 64 KiB as JSON; `null` removes one
   * @throws FanfareError `invalid_channel`, `invalid_value`, `invalid_data`, `invalid_request`, `invalid_position`, `too_large`,
   * `version_mismatch`, `key_reused`, `insufficient_storage`, `unavailable`
   * @example await fanfare.patch("job:7", { done: 42, note: null });
   */
  patch(channel: string, patch: JsonObject, options?: ChangeOptions): Promise<Published>;
  /** Sets the whole state, in which no member may be `null`. @throws FanfareError as {@link patch} */
  setState(channel: string, state: JsonObject, options?: ChangeOptions): Promise<Published>;
  /** Removes the state. @throws FanfareError as {@link patch} */
  removeState(channel: string, options?: ChangeOptions): Promise<Published>;
  /**
   * Who is on a channel, on all nodes, in the order of their ids. The rule of the channel has to have `presence`.
   *
   * @throws FanfareError `invalid_channel`, `invalid_request`, `not_configured`
   */
  presence(channel: string, options?: PresenceListOptions): Promise<Present>;
  /**
   * Listens to what happens to clients and channels of this node. Listeners are called one after the other, after what caused the event;
   * one that throws, or rejects, is logged and harms nobody.
   *
   * `connected` and `disconnected`: a client came in, or is gone; their `version` grows within a session, so that a `disconnected` which
   * comes after the session went on elsewhere can be dropped. `occupied` and `vacated`: a channel has its first subscription on this
   * node, or has had none for 10 seconds; their `version` grows within the node. A node that crashes says nothing.
   *
   * @returns what ends it
   * @example fanfare.on("connected", ({ user, session, version }) => seen(session, user, version));
   */
  on<Name extends keyof LifecycleEvents>(event: Name, listener: LifecycleListener<Name>): () => void;
  /** Figures for people and metrics. */
  stats(): ReturnType<Hub["stats"]>;
  /** Says goodbye to all clients, each with another time to come back, and resolves when they are gone. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Makes a Fanfare. It listens to nothing until it is attached to a server.
 *
 * @throws TypeError, ReservedPathError, RuleError, ChannelDefinitionError, FanfareError `invalid_pattern`, SingleNodeEngineError
 * @example
 * const fanfare = createFanfare();
 * fanfare.attach(server);
 * await fanfare.publish("broadcast", "Hello");
 */
export function createFanfare<Channels extends ChannelDefinitions>(
  options: FanfareOptions & { readonly channels: Channels },
): TypedFanfare<Channels>;
export function createFanfare(options?: FanfareOptions): Fanfare;
export function createFanfare(options: FanfareOptions = {}): Fanfare {
  const path = checkPath(options.path ?? "/push", options.reservedPaths);
  const socketio = options.socketio && socketIoSettings(options.socketio, path, options.reservedPaths);
  const { clock = systemClock, random = systemRandom, logger: log = silentLog } = options;
  const limits = checkLimits(options.limits);
  const rules = new Rules(options.rules);
  const settings = accessSettings(options);
  const entrance = new Entrance(options, { clock, random, log });
  const { engine, ownEngine } = enginesOf(options, rules, limits, clock, random);
  const store = options.dataDir === undefined ? new MemoryStore() : new FileStore(options.dataDir, log);
  const access = new Access({ settings, store, engine, rates: entrance.rates, clock, random, log });
  const checks = options.channels && new TypedChannels(options.channels);
  const hub = new Hub({ engine, rules, limits, clock, random, checks });
  hub.locks.startUpkeep();
  hub.lifecycle.onFailure((error) => log.error({ err: error }, "a listener of the application failed"));
  const sessions = new Sessions(hub);
  const disconnects = new Disconnects(hub);
  const guests = new Guests({ hub, access, entrance, log });
  const wheel = new TimingWheel(clock);
  const host: DoorHost = { hub, sessions, access, entrance, log, wheel, guests };
  const webSocket = new WebSocketDoor(host);
  const sse = new SseDoor(host);
  const services = new Services(socketio?.services ?? [], hub);
  const doors: readonly Door[] = [
    webSocket,
    sse,
    ...(socketio ? [new SocketIoDoor(socketio, services, host)] : []),
  ];
  const unmounts: (() => void)[] = [];
  let closing: Promise<void> | null = null;
  const app = createApp({
    path,
    version: VERSION,
    hub,
    disconnects,
    access,
    entrance,
    sse,
    log,
    stopping: () => closing !== null,
  });
  const listener = createListener(app, log);
  const mounted: Mounted = {
    path,
    request: listener,
    upgrade(request, socket, head) {
      if (isAt(path, request.url)) webSocket.upgrade(request, socket, head);
      else refuseUpgrade(socket, nothingServedAt(request.url));
    },
  };

  const places = [
    ...doors.flatMap((door) => door.places ?? []),
    ...feathersPlaces(services, { access, entrance, log, maxBytes: limits.stateBytes }),
  ];

  async function change(
    name: string,
    input: Pick<StateInput, "patch" | "value">,
    { ifVersion, key }: ChangeOptions = {},
  ): Promise<Published> {
    const channel = parseChannelName(name);
    const version = typeof ifVersion === "string" ? parsePosition(ifVersion) : ifVersion;
    const { epoch, offset } = await hub.changeState(channel, { ...input, ifVersion: version, key });
    return { channel, epoch, offset };
  }

  async function stop(withinMs: number): Promise<void> {
    hub.flush();
    await guests.close(withinMs);
    for (const door of doors) await door.close?.();
    wheel.stop();
    for (const unmount of unmounts) unmount();
    sessions.close();
    disconnects.close();
    access.close();
    hub.close();
    await ownEngine?.close();
  }

  return {
    path,
    attach(server) {
      if (closing) throw new FanfareError("unavailable", "this Fanfare is closed");
      for (const place of [mounted, ...places]) unmounts.push(mount(server, place));
    },
    fetch: async (request) => app.fetch(request),
    handler(request, response, next) {
      if (isUnder(path, request.url)) {
        listener(request, response);
        return;
      }
      // Express takes off what it has matched, as after app.use("/push", fanfare.handler).
      const original = "originalUrl" in request ? String(request.originalUrl) : undefined;
      if (original !== undefined && isUnder(path, original)) {
        request.url = original;
        listener(request, response);
      } else if (next) next();
      else answerNothingHere(response);
    },
    async publish(name, data, { event, key } = {}) {
      const channel = parseChannelName(name);
      const { epoch, offset } = await hub.publish(channel, { data, event, key });
      return { channel, epoch, offset };
    },
    publishMany: (messages) => publishMany(hub, messages),
    async history(name, { after, limit = DEFAULT_HISTORY } = {}) {
      const channel = parseChannelName(name);
      const text = after === undefined || typeof after === "string" ? after : formatPosition(after);
      const position = text === undefined ? null : parsePosition(text);
      const { epoch, first, head, messages } = await hub.history(channel, position, checkHistoryLimit(limit));
      return { channel, epoch, first, head, messages: messages.map(toPublic) };
    },
    position: async (name) => hub.position(parseChannelName(name)),
    token: (request) => access.makeToken(request),
    logOut: (user) => access.revokeUser(user),
    reload(changed) {
      const next = accessSettings(changed);
      const enter = entrance.prepare(changed);
      const takeOver = rules.prepareOthers(changed.rules);
      access.reload(next);
      enter();
      takeOver();
      hub.rulesChanged();
    },
    async state(name) {
      const channel = parseChannelName(name);
      const held = await hub.state(channel);
      if (!held?.json) return null;
      const { epoch, offset, json } = held;
      return { channel, epoch, offset, state: JSON.parse(json) };
    },
    patch: (name, patch, options) => change(name, { patch: patch ?? null }, options),
    setState: (name, state, options) => change(name, { value: state ?? undefined }, options),
    removeState: (name, options) => change(name, { value: null }, options),
    ...locksAndSequences(hub),
    async presence(name, { after = null, limit = DEFAULT_PAGE } = {}) {
      const channel = parseChannelName(name);
      return { channel, ...hub.presence.page(channel, after, checkHistoryLimit(limit)) };
    },
    on: (event, listener) => hub.lifecycle.on(event, listener),
    stats: () => hub.stats(),
    close({ withinMs = 10_000 } = {}) {
      closing ??= stop(withinMs);
      return closing;
    },
  };
}

/** The engine to use, and the part of it that ends with this Fanfare. */
function enginesOf(
  { engine, allowIsolated = false }: FanfareOptions,
  rules: Rules,
  limits: Limits,
  clock: Clock,
  random: Random,
): { engine: Engine; ownEngine: Engine | null } {
  if (engine && !(engine.durable && rules.someInMemory)) return { engine, ownEngine: null };
  const memory = new MemoryEngine({
    clock,
    random,
    // Beside another engine, it is that engine that says how many processes there may be.
    allowIsolated: allowIsolated || engine !== undefined,
    ...engineLimits(limits),
  });
  const isInMemory = (channel: string) => rules.of(channel).durability === "memory";
  return { engine: engine ? new DividedEngine(engine, memory, isInMemory) : memory, ownEngine: memory };
}
