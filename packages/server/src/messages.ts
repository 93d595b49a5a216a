/** Messages as a library has them: what is published to channels, and what their logs hold. */
import {
  type Epoch,
  formatPosition,
  type Position,
  parseChannelName,
  parsePosition,
} from "@fanfare/protocol";
import { checkHistoryLimit, DEFAULT_HISTORY, toPublic } from "./http/messages.js";
import type { Hub } from "./hub/hub.js";
import { checkMembers, membersOf } from "./known-names.js";
import { type MessageToMany, type MessageToPublish, publishMany } from "./publish-many.js";

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
  /** Only what came after this position, given as such or as the text `epoch:offset`. @default begins with the oldest that is held */
  readonly after?: Position | string;
  /** 1 to 1,000. @default 100 */
  readonly limit?: number;
}

const PUBLISH_OPTIONS = membersOf<PublishOptions>({ event: true, key: true });
const HISTORY_OPTIONS = membersOf<HistoryOptions>({ after: true, limit: true });

/** The part of a Fanfare that looks after messages. */
export interface Messages {
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
}

export function messages(hub: Hub): Messages {
  return {
    async publish(name, data, options = {}) {
      checkMembers("options", options, PUBLISH_OPTIONS);
      const { event, key } = options;
      const channel = parseChannelName(name);
      const { epoch, offset } = await hub.publish(channel, { data, event, key });
      return { channel, epoch, offset };
    },
    publishMany: (batch) => publishMany(hub, batch),
    async history(name, options = {}) {
      checkMembers("options", options, HISTORY_OPTIONS);
      const { after, limit = DEFAULT_HISTORY } = options;
      const channel = parseChannelName(name);
      const text = after === undefined || typeof after === "string" ? after : formatPosition(after);
      const position = text === undefined ? null : parsePosition(text);
      const { epoch, first, head, messages } = await hub.history(channel, position, checkHistoryLimit(limit));
      return { channel, epoch, first, head, messages: messages.map(toPublic) };
    },
    position: async (name) => hub.position(parseChannelName(name)),
  };
}
