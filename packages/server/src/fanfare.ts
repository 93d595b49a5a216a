/** A Fanfare in your own server: everything put together behind one small interface. */
import type { ChannelDefinitions } from "@fanfare/client";
import { Access } from "./access/access.js";
import { Entrance } from "./access/entrance.js";
import { FileStore } from "./access/file-store.js";
import { accessSettings } from "./access/settings.js";
import { type SignedToken, TOKEN_REQUEST, type TokenRequest } from "./access/sign.js";
import { MemoryStore } from "./access/store.js";
import { systemClock, systemRandom } from "./clock.js";
import type { DoorHost } from "./doors/door.js";
import { Guests } from "./doors/guests.js";
import { socketIoSettings } from "./doors/socketio/options.js";
import { TimingWheel } from "./doors/timing-wheel.js";
import { enginesOf } from "./engines.js";
import { checkedUser } from "./http/access.js";
import { checkPath } from "./http/path.js";
import { Disconnects } from "./hub/disconnects.js";
import { Hub } from "./hub/hub.js";
import type { LifecycleEvents, LifecycleListener } from "./hub/lifecycle.js";
import { Rules } from "./hub/rules.js";
import { Sessions } from "./hub/sessions.js";
import { checkMembers, checkOptions, membersOf } from "./known-names.js";
import { type LocksAndSequences, locksAndSequences } from "./locks-and-sequences.js";
import { silentLog } from "./log.js";
import { type Messages, messages } from "./messages.js";
import {
  checkFanfareOptions,
  checkLimits,
  checkReloadOptions,
  type FanfareOptions,
  type ReloadOptions,
} from "./options.js";
import { openPlaces, type Places } from "./places.js";
import { type PresenceLists, presenceLists } from "./presence-lists.js";
import { type States, states } from "./states.js";
import { TypedChannels } from "./typed/typed-channels.js";
import type { TypedFanfare } from "./typed/typed-fanfare.js";

export interface CloseOptions {
  /** Milliseconds after which connections that are still open are cut off. @default 10,000 */
  readonly withinMs?: number;
}

const CLOSE_OPTIONS = membersOf<CloseOptions>({ withinMs: true });

export interface Fanfare extends Places, Messages, States, PresenceLists, LocksAndSequences {
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
   * @throws FanfareError `invalid_request`, `unavailable`
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
 * @throws TypeError for an option that is not known, or has a value that it cannot have; ReservedPathError, RuleError,
 * ChannelDefinitionError, FanfareError `invalid_pattern`, SingleNodeEngineError
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
  checkFanfareOptions(options);
  const path = checkPath(options.path ?? "/push", options.reservedPaths);
  const socketio = options.socketio && socketIoSettings(options.socketio, path, options.reservedPaths);
  const { clock = systemClock, random = systemRandom, logger: log = silentLog } = options;
  const limits = checkLimits(options.limits);
  const rules = new Rules(options.rules);
  const settings = accessSettings(options);
  const entrance = new Entrance(options, { clock, random, log });
  const { engine, ownEngine } = enginesOf(options, rules, limits, clock, random);
  const store =
    options.dataDir === undefined ? new MemoryStore() : new FileStore(options.dataDir, log, clock);
  const { rates, refusals } = entrance;
  const access = new Access({ settings, store, engine, rates, refusals, clock, random, log });
  const checks = options.channels && new TypedChannels(options.channels, log);
  const hub = new Hub({ engine, rules, limits, clock, random, checks });
  hub.locks.startUpkeep();
  hub.lifecycle.onFailure((error) => log.error({ err: error }, "a listener of the application failed"));
  const sessions = new Sessions(hub);
  const disconnects = new Disconnects(hub);
  const guests = new Guests({ hub, access, entrance, log });
  const wheel = new TimingWheel(clock);
  const host: DoorHost = { hub, sessions, access, entrance, log, wheel, guests };
  let closing: Promise<void> | null = null;
  const { close: closePlaces, ...places } = openPlaces({
    path,
    socketio,
    host,
    disconnects,
    stopping: () => closing !== null,
  });

  async function stop(withinMs: number): Promise<void> {
    hub.flush();
    await guests.close(withinMs);
    await closePlaces();
    wheel.stop();
    sessions.close();
    disconnects.close();
    access.close();
    hub.close();
    await ownEngine?.close();
  }

  return {
    ...places,
    ...messages(hub),
    ...states(hub),
    ...presenceLists(hub),
    ...locksAndSequences(hub),
    async token(request) {
      checkMembers("request", request, TOKEN_REQUEST);
      return access.makeToken(request);
    },
    logOut: async (user) => await access.revokeUser(checkedUser(user)),
    reload(changed) {
      checkReloadOptions(changed);
      const next = accessSettings(changed);
      const enter = entrance.prepare(changed);
      const takeOver = rules.prepareOthers(changed.rules);
      access.reload(next);
      enter();
      takeOver();
      hub.rulesChanged();
    },
    on: (event, listener) => hub.lifecycle.on(event, listener),
    stats: () => hub.stats(),
    close(options = {}) {
      checkOptions("close", options, CLOSE_OPTIONS);
      const { withinMs = 10_000 } = options;
      closing ??= stop(withinMs);
      return closing;
    },
  };
}
