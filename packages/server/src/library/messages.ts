/** Messages as a library has them: what is published to channels, and what their logs hold. */
import { type Epoch, type Position, type Published, parseChannelName, readPosition } from "@fanfare/protocol";
import { checkMembers, membersOf } from "../base/known-names.js";
import { checkHistoryLimit, DEFAULT_HISTORY, toPublic } from "../http/routes/messages.js";
import type { Hub } from "../hub/hub.js";
import { type MessageToMany, type MessageToPublish, publishMany } from "./publish-many.js";

export interface PublishOptions {
  /** The kind of message. @default "message" */
  readonly event?: string;
  /** Idempotency key, 1 to 200 characters: the same message with the same id is appended once within 5 minutes. It comes back as `message.id`. */
  readonly id?: string;
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

const PUBLISH_OPTIONS = membersOf<PublishOptions>({ event: true, id: true });
const HISTORY_OPTIONS = membersOf<HistoryOptions>({ after: true, limit: true });

/** The part of a Fanfare that looks after messages. */
export interface Messages {
  /**
   * Publishes to a channel. Resolves when the message is in the log; every subscription gets it.
   *
   * @param channel such as `order:42`
   * @param data any JSON value, at most 64 KiB
   * @throws FanfareError `invalid_channel`, `invalid_value`, `invalid_data`, `invalid_request`, `too_large`, `id_reused`, `unavailable`
   * @example await fanfare.publish("order:42", { status: "paid" });
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Published>;
  /**
   * Publishes many messages, or one to many channels. All are checked before anything is appended; then they are appended in order,
   * each by itself, so that one which is refused does not stop the others.
   *
   * @returns where each stands, in order
   * @throws FanfareError as {@link publish}; where some were appended, its `results` say which
   * @example await fanfare.publishMany({ channels: ["team:1", "team:2"], event: "closing", data: { minutes: 10 } });
   */
  publishMany(messages: readonly MessageToPublish[] | MessageToMany): Promise<Published[]>;
  /**
   * The messages of a channel's log: `limit` messages at most, and fewer where they would have more than 1 MiB of data. While the offset of
   * the last message is below `head`, go on after it; a page without messages is the end.
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
   * Removes a channel: throws away its log and its state, and gives its place back to the user who made it. Its subscriptions stay,
   * are told of a gap, and go on at the beginning of a new epoch. Resolves with whether there was anything.
   *
   * @throws FanfareError `invalid_channel`, `insufficient_storage`, `unavailable`
   */
  removeChannel(channel: string): Promise<boolean>;
}

export function messages(hub: Hub): Messages {
  return {
    async publish(name, data, options = {}) {
      checkMembers("options", options, PUBLISH_OPTIONS);
      const { event, id } = options;
      const channel = parseChannelName(name);
      const { epoch, offset } = await hub.publish(channel, { data, event, id });
      return { channel, epoch, offset };
    },
    publishMany: (batch) => publishMany(hub, batch),
    async history(name, options = {}) {
      checkMembers("options", options, HISTORY_OPTIONS);
      const { after, limit = DEFAULT_HISTORY } = options;
      const channel = parseChannelName(name);
      const position = after === undefined ? null : readPosition(after);
      const page = await hub.history(channel, position, checkHistoryLimit(limit));
      const { epoch, first, head } = page;
      return {
        channel,
        epoch,
        first,
        head,
        messages: await hub.slices.run(() => page.messages.map(toPublic)),
      };
    },
    position: async (name) => hub.position(parseChannelName(name)),
    removeChannel: async (name) => hub.remove(parseChannelName(name)),
  };
}
