/** A Fanfare in your own server: everything put together behind one small interface. */
import type { ChannelDefinitions } from "@fanfare/client";
import { FanfareError, shown } from "@fanfare/protocol";
import { Access } from "../access/access.js";
import { ControlServer } from "../access/control/control-server.js";
import { Entrance } from "../access/entrance.js";
import { settingsOf, tellAccess } from "../access/settings.js";
import type { RevokedAnswer } from "../access/store/revoking.js";
import { ACCESS_SPACE, AccessStore } from "../access/store/store.js";
import { type SignedToken, TOKEN_REQUEST, type TokenRequest } from "../access/tokens/sign.js";
import { systemClock, systemRandom } from "../base/clock.js";
import { Failures, guardedClock } from "../base/failures.js";
import { inTime } from "../base/in-time.js";
import { checkMembers, checkOptions, membersOf } from "../base/known-names.js";
import { guardedLog, silentLog } from "../base/log.js";
import { checkPath } from "../base/path.js";
import { warnIfOthersMayRead } from "../base/private-folder.js";
import { TimingWheel } from "../base/timing-wheel.js";
import { Clients } from "../doors/clients.js";
import type { DoorHost } from "../doors/door.js";
import { socketIoSettings } from "../doors/socketio/options.js";
import type { Engine } from "../engine/engine.js";
import { checkedUser } from "../http/routes/access.js";
import { AllConnections } from "../hub/all-connections.js";
import { Hub } from "../hub/hub.js";
import type { LifecycleEvents, LifecycleListener } from "../hub/lifecycle.js";
import { Nodes } from "../hub/nodes.js";
import { Sessions } from "../hub/sessions.js";
import { Rules } from "../hub/terms/rules.js";
import { Locks } from "../locks/locks.js";
import { Sequences } from "../locks/sequences.js";
import { Arriving } from "../wire/arriving.js";
import { Bodies } from "../wire/bodies.js";
import { enginesOf } from "./engines.js";
import { type FanfareLocks, fanfareLocks } from "./locks.js";
import { memoryThere, processMeter } from "./memory-meter.js";
import { defaultsOf, MEMORY_REMEDY, planMemory, tellMemory, tooMuchOf } from "./memory-plan.js";
import { type Messages, messages } from "./messages.js";
import {
  type FanfareOptions,
  fanfareSettings,
  limitsOf,
  type ReloadOptions,
  reloadSettings,
} from "./options.js";
import { openPlaces, type Places } from "./places.js";
import { type FanfarePresence, fanfarePresence } from "./presence.js";
import { type FanfareSequences, fanfareSequences } from "./sequences.js";
import { type FanfareStates, fanfareStates } from "./states.js";
import { TypedChannels } from "./typed-channels.js";
import type { TypedFanfare } from "./typed-fanfare.js";

export interface CloseOptions {
  /**
   * Seconds after which connections that are still open are cut off, 0 to 2,147,483. With 0 they are cut off at once.
   *
   * @default 10
   */
  readonly withinSeconds?: number;
}

/** Calls on their way to the engine have this time when it closes, whatever time clients have. */
const ENGINE_WITHIN_MS = 5000;

const CLOSE_OPTIONS = membersOf<CloseOptions>({ withinSeconds: true });

export interface Fanfare extends Places, Messages {
  /** The states of channels. */
  readonly states: FanfareStates;
  /** The members on a channel. */
  readonly presence: FanfarePresence;
  readonly locks: FanfareLocks;
  /** Sequences of unique numbers. */
  readonly sequences: FanfareSequences;
  /**
   * Makes a token for a user, with the first of `tokens.secrets`: hand it to the page, which gives it to `createClient`.
   *
   * @throws FanfareError `not_configured` without a secret, `invalid_grants`, `invalid_request`
   * @example
   * const { token } = await fanfare.token({ user: "alice", grants: [{ channels: "order:*", actions: ["subscribe"] }] });
   */
  token(request: TokenRequest): Promise<SignedToken>;
  /**
   * Logs a user out: closes the user's connections, on all nodes, and accepts no token any more that was made until now. It holds at once;
   * `pending` says that it could not be written down yet, as on a full disk, or not be told to other nodes.
   *
   * @throws FanfareError `invalid_request`
   */
  logOut(user: string): Promise<RevokedAnswer>;
  /**
   * Goes on with other keys, tokens, grants, origins, proxies, rates and rules; those that are left out have their defaults. Clients
   * stay connected, as far as they still may; what they may not hear any more is ended. A rule's `auto` is for connections to come.
   *
   * @throws TypeError; FanfareError `invalid_rule`, `invalid_grants`, `invalid_pattern`; then nothing was changed
   */
  reload(options: ReloadOptions): void;
  /**
   * Listens to what happens to clients and channels of this node. Listeners are called one after the other, after what caused the event;
   * one that throws, or rejects, is logged and harms no others.
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
  /**
   * Says goodbye to all clients, each with another time to come back, and resolves when they are gone, or were cut off. After that
   * nothing of this Fanfare is open on the servers that it was attached to; what is the application's is not touched.
   *
   * @throws TypeError when `withinSeconds` is no such number; then nothing has begun
   * @throws FanfareError `internal` when its engine does not close
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Makes a Fanfare. It serves no client until it is attached to a server. With `dataDir` it answers `fanfare key` and `fanfare token`.
 *
 * @throws TypeError for an option that is not known, or has a value that it cannot have; FanfareError `reserved_path`, `invalid_rule`,
 * `invalid_channel_definition`, `invalid_pattern`, `single_node_engine`
 * @example
 * const fanfare = createFanfare();
 * fanfare.attach(server);
 * await fanfare.publish("broadcast", "Hello");
 */
export function createFanfare<Channels extends ChannelDefinitions>(
  options: FanfareOptions & { readonly channels: Channels },
): TypedFanfare<Channels>;
export function createFanfare(options?: FanfareOptions): Fanfare;
export function createFanfare(given: FanfareOptions = {}): Fanfare {
  const options = fanfareSettings(given);
  const path = checkPath(options.path, options.reservedPaths);
  const socketio = options.socketio && socketIoSettings(options.socketio, path, options.reservedPaths);
  const { random = systemRandom, logger } = options;
  const log = logger ? guardedLog(logger) : silentLog;
  const failures = new Failures(log);
  const clock = guardedClock(options.clock ?? systemClock, failures);
  const plan = planMemory(memoryThere());
  const limits = limitsOf(options.limits, given.limits, defaultsOf(plan, !options.engine?.durable));
  const rules = new Rules(options.rules);
  const settings = settingsOf(options);
  const entrance = new Entrance(options, { clock, random, log });
  const { engine, ownEngine } = enginesOf(options, rules, limits, plan, clock, random, failures, log);
  const store = new AccessStore({ space: engine.space(ACCESS_SPACE), clock, log });
  if (options.dataDir !== undefined) void warnIfOthersMayRead(options.dataDir, log);
  const { rates, refusals } = entrance;
  const access = new Access({ settings, store, engine, rates, refusals, failures, clock, random, log });
  if (!options.loopbackOnly) {
    // Only then it is known whether there are keys.
    failures.inBackground("reading the keys", async () => {
      await store.loaded().catch(() => {});
      tellAccess(settings, access.canLogIn, log);
    });
  }
  const checks = options.channels && new TypedChannels(options.channels, clock, log);
  for (const problem of tooMuchOf(plan, limits, !engine.durable)) {
    log.warn({ remedy: MEMORY_REMEDY }, `memory: ${problem}`);
  }
  const memory = options.memory ?? { meter: processMeter, room: plan };
  const memoryChanged = tellMemory(log);
  const { dataDir: folder } = options;
  const controlServer =
    folder === undefined ? null : new ControlServer({ folder, control: access, clock, failures, log });
  const hub = new Hub({ engine, rules, limits, clock, random, checks, failures, memory, memoryChanged });
  const locks = new Locks(hub);
  const sequences = new Sequences(hub);
  locks.startUpkeep();
  hub.lifecycle.onFailure((error) => log.error({ err: error }, "a listener of the application failed"));
  const sessions = new Sessions(hub, (publisher) => locks.sessionEnded(publisher));
  const nodes = new Nodes(hub);
  const allConnections = new AllConnections(hub, nodes);
  const clients = new Clients({ hub, access, entrance, log });
  const wheel = new TimingWheel(clock);
  const arriving = new Arriving({ clock, maxBytes: limits.bodyBytes });
  const bodies = new Bodies(arriving);
  const host: DoorHost = {
    hub,
    locks,
    sequences,
    sessions,
    access,
    entrance,
    log,
    failures,
    wheel,
    clients,
    arriving,
    bodies,
  };
  let closing: Promise<void> | null = null;
  const { close: closePlaces, ...places } = openPlaces({
    path,
    socketio,
    host,
    nodes,
    allConnections,
    stopping: () => closing !== null,
  });

  async function stop(withinMs: number): Promise<void> {
    const end = clock.monotonic() + withinMs;
    failures.guarded("background", () => hub.flush())();
    const controlClosed = controlServer?.close().catch((error: unknown) => {
      failures.caught({ caller: "background", error });
    });
    try {
      await clients.close(withinMs);
    } catch (error) {
      // The clients that are left go with their sockets.
      failures.caught({ caller: "background", error });
    }
    try {
      await closePlaces(Math.max(0, end - clock.monotonic()));
    } finally {
      // Each of them is closed, also where another one fails.
      for (const close of [
        () => wheel.stop(),
        () => arriving.close(),
        () => sessions.close(),
        () => nodes.close(),
        () => access.close(),
        () => locks.close(),
        () => hub.close(),
      ]) {
        failures.guarded("background", close)();
      }
      await controlServer
        ?.close()
        .catch((error: unknown) => failures.caught({ caller: "background", error }));
      await controlClosed;
      if (ownEngine) await closeEngine(ownEngine);
    }
  }

  async function closeEngine(own: Engine): Promise<void> {
    if (await inTime(clock, ENGINE_WITHIN_MS, own.close())) return;
    throw new FanfareError("internal", `the engine did not close within ${ENGINE_WITHIN_MS / 1000} seconds`, {
      remedy: "End the process; what was acknowledged is kept as far as the engine keeps it.",
    });
  }

  return {
    ...places,
    ...messages(hub),
    states: fanfareStates(hub),
    presence: fanfarePresence(hub),
    locks: fanfareLocks(locks),
    sequences: fanfareSequences(sequences),
    async token(request) {
      checkMembers("request", request, TOKEN_REQUEST);
      return access.makeToken(request);
    },
    logOut: async (user) => await access.revokeUser(checkedUser(user)),
    reload(options) {
      const changed = reloadSettings(options);
      const next = settingsOf(changed);
      const takeOver = rules.prepareOthers(changed.rules);
      access.reload(next);
      if (!changed.loopbackOnly) tellAccess(next, access.canLogIn, log);
      entrance.reload(changed);
      takeOver();
      hub.rulesChanged();
    },
    on: (event, listener) => hub.lifecycle.on(event, listener),
    stats: () => hub.stats(),
    close(options = {}) {
      checkOptions("close", options, CLOSE_OPTIONS);
      const { withinSeconds = 10 } = options;
      checkWithin(withinSeconds);
      closing ??= stop(withinSeconds * 1000);
      return closing;
    },
  };
}

/** Longer than timers can be. */
const MAX_WITHIN_SECONDS = 2_147_483;

/** @throws TypeError */
function checkWithin(within: number): void {
  if (typeof within === "number" && within >= 0 && within <= MAX_WITHIN_SECONDS) return;
  throw new TypeError(
    `close: withinSeconds is ${shown(within)}. Give seconds from 0 to ${MAX_WITHIN_SECONDS}.`,
  );
}
