/** Presence as a library has it: lists of who is on a channel. */
import { parseChannelName } from "@fanfare/protocol";
import { DEFAULT_PAGE } from "./http/check.js";
import { checkHistoryLimit } from "./http/messages.js";
import type { Hub } from "./hub/hub.js";
import type { Member } from "./hub/presence/member.js";
import { checkMembers, membersOf } from "./known-names.js";

export interface PresenceListOptions {
  /** Only those with an id after this one. */
  readonly after?: string;
  /** 1 to 1,000. @default 100 */
  readonly limit?: number;
}

const LIST_OPTIONS = membersOf<PresenceListOptions>({ after: true, limit: true });

/** Who is on a channel. */
export interface Present<Info = unknown> {
  readonly channel: string;
  /** How many there are in all. */
  readonly count: number;
  readonly members: readonly Member<Info>[];
  /** Give it as `after` for the next page; `null` when this is the last. */
  readonly next: string | null;
}

/** The part of a Fanfare that knows who is there. */
export interface PresenceLists {
  /**
   * Who is on a channel, on all nodes, in the order of their ids. The rule of the channel has to have `presence`.
   *
   * @throws FanfareError `invalid_channel`, `invalid_request`, `not_configured`
   */
  presence(channel: string, options?: PresenceListOptions): Promise<Present>;
}

export function presenceLists(hub: Hub): PresenceLists {
  return {
    async presence(name, options = {}) {
      checkMembers("options", options, LIST_OPTIONS);
      const { after = null, limit = DEFAULT_PAGE } = options;
      const channel = parseChannelName(name);
      return { channel, ...hub.presence.page(channel, after, checkHistoryLimit(limit)) };
    },
  };
}
