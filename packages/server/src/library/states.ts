/** States as a library has them: what a channel stands at, and changes of it. */
import {
  FanfareError,
  type HeldState,
  type Position,
  type Published,
  parseChannelName,
  readPosition,
} from "@fanfare/protocol";
import { checkMembers, membersOf } from "../base/known-names.js";
import type { Hub } from "../hub/hub.js";
import type { StateInput } from "../hub/terms/draft.js";

/** A JSON object; `null` within a patch removes a member. */
export type JsonObject = { readonly [key: string]: unknown };

export interface ChangeOptions {
  /**
   * Changes the state only while it is this version, given as a position or as the text `epoch:offset`; `null`: only while there
   * is none. @default whatever it is
   */
  readonly ifVersion?: Position | string | null;
  /** Idempotency key, 1 to 200 characters: the same change with the same id is made once within 5 minutes. */
  readonly id?: string;
}

const CHANGE_OPTIONS = membersOf<ChangeOptions>({ ifVersion: true, id: true });

/** `fanfare.states`. */
export interface FanfareStates {
  /**
   * The state of a channel; `null` when it has none.
   *
   * @throws FanfareError `invalid_channel`, `unavailable`
   */
  get(channel: string): Promise<HeldState | null>;
  /**
   * Changes members of a channel's state by a JSON Merge Patch (RFC 7396). Resolves when it is in the log; every subscription
   * gets it, and newcomers get the whole. Patches of one process to a channel are made in the order of the calls.
   *
   * @param patch the members to change, at most 64 KiB as JSON; `null` removes one
   * @throws FanfareError `invalid_channel`, `invalid_value`, `invalid_data`, `invalid_request`, `invalid_position`, `too_large`,
   * `version_mismatch`, `id_reused`, `insufficient_storage`, `unavailable`
   * @example await fanfare.states.patch("job:7", { done: 42, note: null });
   */
  patch(channel: string, patch: JsonObject, options?: ChangeOptions): Promise<Published>;
  /** Sets the whole state, in which no member may be `null`. @throws FanfareError as {@link patch} */
  set(channel: string, state: JsonObject, options?: ChangeOptions): Promise<Published>;
  /** Removes the state. @throws FanfareError as {@link patch} */
  remove(channel: string, options?: ChangeOptions): Promise<Published>;
}

export function fanfareStates(hub: Hub): FanfareStates {
  async function change(
    name: string,
    input: Pick<StateInput, "patch" | "value">,
    options: ChangeOptions = {},
  ): Promise<Published> {
    checkMembers("options", options, CHANGE_OPTIONS);
    const { ifVersion, id } = options;
    const channel = parseChannelName(name);
    const version = ifVersion === undefined || ifVersion === null ? ifVersion : readPosition(ifVersion);
    const { epoch, offset } = await hub.changeState(channel, { ...input, ifVersion: version, id });
    return { channel, epoch, offset };
  }

  return {
    async get(name) {
      const channel = parseChannelName(name);
      const held = await hub.state(channel);
      if (!held?.json) return null;
      const { epoch, offset, json } = held;
      return { channel, epoch, offset, state: JSON.parse(json) };
    },
    patch: (name, patch, options) => change(name, { patch: patch ?? null }, options),
    async set(name, state, options) {
      if (state === null) {
        throw new FanfareError("invalid_value", "the state is null, not an object", {
          remedy: "Give an object, or call states.remove.",
        });
      }
      return change(name, { value: state }, options);
    },
    remove: (name, options) => change(name, { value: null }, options),
  };
}
