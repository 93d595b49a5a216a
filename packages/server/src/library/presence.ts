/** Presence as a library has it: who is on a channel, and how many. */
import { type Member, parseChannelName } from "@fanfare/protocol";
import { DEFAULT_PAGE } from "../base/check.js";
import { checkMembers, membersOf } from "../base/known-names.js";
import { checkHistoryLimit } from "../http/routes/messages.js";
import type { Hub } from "../hub/hub.js";

export interface PresenceListOptions {
  /** Only those with an id after this one. */
  readonly after?: string;
  /** 1 to 1,000. @default 100 */
  readonly limit?: number;
}

const LIST_OPTIONS = membersOf<PresenceListOptions>({ after: true, limit: true });

/** The members on a channel. */
export interface Present<Info = unknown> {
  readonly channel: string;
  /** How many there are in all. */
  readonly count: number;
  readonly members: readonly Member<Info>[];
  /** Give it as `after` for the next page; `null` when this is the last. */
  readonly next: string | null;
}

/** `fanfare.presence`. */
export interface FanfarePresence {
  /**
   * The members on a channel, on all nodes, in the order of their ids. The rule of the channel has to have `presence`.
   *
   * @throws FanfareError `invalid_channel`, `invalid_request`, `not_configured`
   */
  list(channel: string, options?: PresenceListOptions): Promise<Present>;
  /** The number of members on a channel, on all nodes. @throws FanfareError `invalid_channel`, `not_configured` */
  count(channel: string): Promise<number>;
}

export function fanfarePresence(hub: Hub): FanfarePresence {
  return {
    async list(name, options = {}) {
      checkMembers("options", options, LIST_OPTIONS);
      const { after = null, limit = DEFAULT_PAGE } = options;
      const channel = parseChannelName(name);
      return { channel, ...(await hub.presence.page(channel, after, checkHistoryLimit(limit))) };
    },
    count: async (name) => hub.presence.count(parseChannelName(name)),
  };
}
