/**
 * Grants: which actions on which channels. Written the same everywhere: in tokens, with keys, in answers of the app and in the
 * configuration. They are checked and prepared once, so that a decision costs a look along a short list.
 */
import {
  type ChannelName,
  FanfareError,
  includes,
  isChannelName,
  matches,
  type Pattern,
  parsePattern,
  plainName,
  quote,
  shown,
} from "@fanfare/protocol";
import { membersOf, remedyFor } from "../../base/known-names.js";
import { ACTIONS, type Action, CHANNEL_ACTIONS, EVERY_ACTION, isAction } from "./actions.js";

/** A grant as it is written: `{"channels": "order:*", "actions": ["subscribe"]}`. */
export interface Grant {
  /** A pattern: `*` is one segment, `**` one or more at the end, `{sub}` the id of the user. */
  readonly channels: string;
  /** Names of actions; `*` is all of those on channels. */
  readonly actions: readonly (Action | typeof EVERY_ACTION)[];
}

export const MAX_GRANTS = 100;
/** The most characters of a user id. */
const MAX_USER_LENGTH = 200;

/** Covers every channel, and alone the server as a whole. */
const EVERYTHING = "**";
const SUB = "{sub}";

const MEMBERS = membersOf<Grant>({ channels: true, actions: true });

interface Prepared {
  readonly grant: Grant;
  readonly pattern: Pattern;
  readonly actions: ReadonlySet<Action>;
}

export class Grants {
  /** As they were written. */
  readonly list: readonly Grant[];
  readonly #prepared: readonly Prepared[];

  /**
   * @param value a list of grants, from wherever
   * @param user whom `{sub}` stands for; `null` where there is no user, and `{sub}` has no meaning
   * @throws FanfareError `invalid_grants`, naming what is wrong
   */
  constructor(value: unknown, user: string | null) {
    if (!Array.isArray(value)) throw invalid(`grants is ${givenOf(value)}`);
    if (value.length > MAX_GRANTS) {
      throw invalid(`there are ${value.length} grants, and ${MAX_GRANTS} are allowed`);
    }
    const sub = user === null ? null : segmentOf(user);
    this.#prepared = value.map((item: unknown, index) => prepare(item, index, sub));
    this.list = this.#prepared.map(({ grant }) => grant);
  }

  /**
   * The first grant that allows it, or `null`. The channel `null` is the server as a whole. One of Fanfare's own channels, such as
   * `$lock:order:42`, goes by the grants for the name that it belongs to.
   */
  find(action: Action, channel: ChannelName | null): Grant | null {
    const name = channel && plainName(channel);
    for (const { grant, pattern, actions } of this.#prepared) {
      if (!actions.has(action)) continue;
      if (name === null ? pattern.text === EVERYTHING : matches(pattern, name)) return grant;
    }
    return null;
  }

  /** Is the action allowed on any channel at all? */
  has(action: Action): boolean {
    return this.#prepared.some(({ actions }) => actions.has(action));
  }

  /** The actions that are allowed on a channel. */
  actionsOn(channel: ChannelName): Action[] {
    return CHANNEL_ACTIONS.filter((action) => this.find(action, channel) !== null);
  }

  /**
   * Of somebody else's grants, the first that is not within these, and the action that is missing; `null` when there is none.
   *
   * @param also an action that is wanted in addition, on the same channels
   */
  lacks(others: Grants, also: Action): { readonly grant: Grant; readonly action: Action } | null {
    for (const { grant, pattern, actions } of others.#prepared) {
      for (const action of [also, ...actions]) {
        const has = this.#prepared.some((own) => own.actions.has(action) && includes(own.pattern, pattern));
        if (!has) return { grant, action };
      }
    }
    return null;
  }
}

/** A list from wherever, as grants. @throws FanfareError `invalid_grants` */
export function checkedGrants(value: unknown, user: string | null): readonly Grant[] {
  return new Grants(value, user).list;
}

/** The grants of a user. */
export interface UserGrants {
  /** All of it. */
  readonly grants: Grants;
  /** The user's own, and those that every user has. */
  readonly own: readonly Grant[];
  readonly general: readonly Grant[];
}

/** @param own from wherever @throws FanfareError `invalid_grants` */
export function userGrantsOf(user: string, general: readonly Grant[], own: unknown): UserGrants {
  const checked = new Grants(own, user);
  const grants = general.length === 0 ? checked : new Grants([...general, ...checked.list], user);
  return { grants, own: checked.list, general };
}

export const NO_GRANTS = new Grants([], null);
/** On all channels, and on the server. */
export const ALL_GRANTS = new Grants([{ channels: EVERYTHING, actions: [EVERY_ACTION, "admin"] }], null);

/**
 * The segment that stands for a user in channel names: the id itself where it is a segment, else `~` and its base64url. An id that
 * begins with `~` is written in the second way, too; so no two users share a segment, whatever they are called.
 */
export function segmentOf(user: string): string {
  const plain = isChannelName(user) && !user.includes(":") && !user.startsWith("~");
  return plain ? user : `~${Buffer.from(user).toString("base64url")}`;
}

export const USER_REMEDY = "Give the id of a user, 1 to 200 characters.";

/** The rule that a user id breaks; `null` when it breaks none. */
export function userProblem(user: unknown): string | null {
  if (user === undefined) return "is missing";
  if (typeof user !== "string" || user === "") return `is ${shown(user)}`;
  if (user.length > MAX_USER_LENGTH) {
    return `has ${user.length} characters, and ${MAX_USER_LENGTH} are allowed`;
  }
  // Half of a pair would be replaced on its way into bytes, and two users become one.
  return /\p{Surrogate}/u.test(user) ? "is no valid Unicode" : null;
}

function prepare(item: unknown, index: number, sub: string | null): Prepared {
  const where = `grants[${index}]`;
  if (typeof item !== "object" || item === null) throw invalid(`${where} is ${shown(item)}`);
  for (const name of Object.keys(item)) {
    // A misspelt limit would otherwise grant more than was meant.
    if (MEMBERS.includes(name)) continue;
    throw invalid(`${where} has ${quote(name)}, which is not known`, remedyFor(name, MEMBERS));
  }
  const channels = "channels" in item ? item.channels : undefined;
  if (typeof channels !== "string") throw invalid(`${where}.channels is ${givenOf(channels)}`);
  const actions = "actions" in item ? item.actions : undefined;
  if (!Array.isArray(actions) || actions.length === 0) {
    throw invalid(`${where}.actions is ${givenOf(actions)}`);
  }
  const written = actions.map((action: unknown) => checkAction(action, channels, where));
  return {
    grant: { channels, actions: written },
    pattern: fill(channels, sub, where),
    actions: new Set(written.flatMap((action) => (action === EVERY_ACTION ? CHANNEL_ACTIONS : [action]))),
  };
}

function checkAction(action: unknown, channels: string, where: string): Action | typeof EVERY_ACTION {
  if (action === EVERY_ACTION) return EVERY_ACTION;
  if (typeof action !== "string" || !isAction(action)) {
    throw invalid(`${where}.actions has ${shown(action)}`);
  }
  if (ACTIONS[action].on === "server" && channels !== EVERYTHING) {
    throw invalid(`${where} gives ${action} on ${quote(channels)}`, `Give ${action} on ${EVERYTHING} only.`);
  }
  return action;
}

/** Segments are replaced one by one, and what is put in is never read as a pattern. */
function fill(channels: string, sub: string | null, where: string): Pattern {
  const segments = channels.split(":");
  try {
    const { literal } = parsePattern(segments.map((each) => (each === SUB ? "sub" : each)).join(":"));
    if (!segments.includes(SUB)) return { text: channels, segments, literal };
    if (sub === null) throw invalid(`${where} has ${SUB}, but there is no user whom it could stand for`);
    const filled = segments.map((each) => (each === SUB ? sub : each));
    return { text: filled.join(":"), segments: filled, literal };
  } catch (error) {
    if (!(error instanceof FanfareError) || error.code !== "invalid_pattern") throw error;
    throw invalid(`${where}.channels: ${error.message}`, error.remedy);
  }
}

function givenOf(value: unknown): string {
  return value === undefined ? "missing" : shown(value);
}

function invalid(message: string, remedy?: string): FanfareError {
  return new FanfareError("invalid_grants", message, remedy === undefined ? {} : { remedy });
}
