/** The calls of an engine that a node makes over a socket, by name. Announcements and signals are messages of their own. */
import type { Engine, EngineStats } from "../engine.js";
import type { Logs } from "../logs.js";
import type { Sessions } from "../sessions.js";
import type { Signals } from "../signals.js";
import type { Space } from "../space.js";

/** A space by its name, and whether its values may be lost: see `SpaceOptions`. */
interface SpaceName {
  readonly name: string;
  readonly volatile: boolean;
}

type OfSpace<Name extends keyof Space> = Space[Name] extends (...args: infer Args) => infer Answer
  ? (space: SpaceName, ...args: Args) => Answer
  : never;

export interface EngineCalls {
  append: Logs["append"];
  state: Logs["state"];
  read: Logs["read"];
  heads: Logs["heads"];
  list: Logs["list"];
  remove: Logs["remove"];
  owners: Logs["owners"];
  holdings: Logs["holdings"];
  send: Signals["send"];
  put: Sessions["put"];
  renew: Sessions["renew"];
  take: Sessions["take"];
  spaceGet: OfSpace<"get">;
  spaceCompareAndSet: OfSpace<"compareAndSet">;
  spaceList: OfSpace<"list">;
  spaceVersion: OfSpace<"version">;
  now: Engine["now"];
  stats(): Promise<EngineStats>;
}

export type CallName = keyof EngineCalls;

/** The calls as the engine of this process answers them. */
export function callsOf(engine: Engine): EngineCalls {
  const { logs, signals, sessions } = engine;
  const spaceOf = ({ name, volatile }: SpaceName) => engine.space(name, { volatile });
  return {
    append: (channel, draft, retention) => logs.append(channel, draft, retention),
    state: (channel) => logs.state(channel),
    read: (channel, after, limit) => logs.read(channel, after, limit),
    heads: (channels) => logs.heads(channels),
    list: (after, limit) => logs.list(after, limit),
    remove: (channel) => logs.remove(channel),
    owners: (by, limit) => logs.owners(by, limit),
    holdings: (owner) => logs.holdings(owner),
    send: (topic, json) => signals.send(topic, json),
    // JSON has no `undefined`.
    put: (hash, json, ttlMs, owner) => sessions.put(hash, json, ttlMs, owner ?? undefined),
    renew: (hash, ttlMs) => sessions.renew(hash, ttlMs),
    take: (hash) => sessions.take(hash),
    spaceGet: (space, key) => spaceOf(space).get(key),
    spaceCompareAndSet: (space, key, expected, value) => spaceOf(space).compareAndSet(key, expected, value),
    spaceList: (space, after, limit) => spaceOf(space).list(after, limit),
    spaceVersion: (space) => spaceOf(space).version(),
    now: () => engine.now(),
    stats: async () => (await engine.stats?.()) ?? {},
  };
}

export function isCallName(name: string, calls: EngineCalls): name is CallName {
  return Object.hasOwn(calls, name);
}
