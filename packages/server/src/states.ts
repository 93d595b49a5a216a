/** States as a library has them: what a channel stands at, and changes of it. */
import { formatPosition, type Position, parseChannelName, parsePosition } from "@fanfare/protocol";
import type { StateInput } from "./hub/draft.js";
import type { Hub } from "./hub/hub.js";
import { checkMembers, membersOf } from "./known-names.js";
import type { Published } from "./messages.js";

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

const CHANGE_OPTIONS = membersOf<ChangeOptions>({ ifVersion: true, key: true });

/** The part of a Fanfare that looks after the states of channels. */
export interface States {
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
}

export function states(hub: Hub): States {
  async function change(
    name: string,
    input: Pick<StateInput, "patch" | "value">,
    options: ChangeOptions = {},
  ): Promise<Published> {
    checkMembers("options", options, CHANGE_OPTIONS);
    const { ifVersion, key } = options;
    const channel = parseChannelName(name);
    const text = typeof ifVersion === "object" && ifVersion ? formatPosition(ifVersion) : ifVersion;
    // What is no text is no position, and no reason to change whatever there is.
    const version = text === undefined || text === null ? text : parsePosition(String(text));
    const { epoch, offset } = await hub.changeState(channel, { ...input, ifVersion: version, key });
    return { channel, epoch, offset };
  }

  return {
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
  };
}
