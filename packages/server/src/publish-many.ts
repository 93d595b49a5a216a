/** Publishing many messages in one call, in process. */
import { FanfareError, parseChannelName } from "@fanfare/protocol";
import type { Hub } from "./hub/hub.js";
import type { BatchResult, Prepared } from "./hub/publishing.js";
import { checkMembers, membersOf } from "./known-names.js";
import type { Published } from "./messages.js";

/** One message for one channel. */
export interface MessageToPublish {
  readonly channel: string;
  /** What kind of message. @default "message" */
  readonly event?: string;
  /** Any JSON value, at most 64 KiB. */
  readonly data: unknown;
  /** Idempotency key, within this channel. */
  readonly key?: string;
}

/** One message for many channels. */
export interface MessageToMany extends Omit<MessageToPublish, "channel"> {
  readonly channels: readonly string[];
}

const MESSAGE = membersOf<MessageToPublish>({ channel: true, event: true, data: true, key: true });
const MESSAGE_TO_MANY = membersOf<MessageToMany>({ channels: true, event: true, data: true, key: true });

/** Some messages of many could not be appended; its code is that of the first of these. */
export class PublishManyError extends FanfareError {
  override readonly name = "PublishManyError";
  /** For each message, in order, where it stands, or why it was not appended. */
  readonly results: readonly (Published | FanfareError)[];

  constructor(first: FanfareError, failed: number, results: readonly (Published | FanfareError)[]) {
    const { code, remedy, retryAfter } = first;
    super(code, `${failed} of ${results.length} messages were not appended; the first: ${first.message}`, {
      remedy,
      ...(retryAfter !== undefined && { retryAfter }),
      cause: first,
    });
    this.results = results;
  }
}

/** @throws FanfareError when one is not valid, so that none was appended; PublishManyError when some were not appended */
export async function publishMany(
  hub: Hub,
  batch: readonly MessageToPublish[] | MessageToMany,
): Promise<Published[]> {
  const prepared = isList(batch)
    ? batch.map((each, index) => toOne(hub, each, `messages[${index}]`))
    : toMany(hub, batch);
  const results = (await hub.publishing.appendAll(prepared, (error) => error)).map(placeOf);
  const failures = results.filter((result) => result instanceof FanfareError);
  if (failures[0]) throw new PublishManyError(failures[0], failures.length, results);
  return results.filter((result): result is Published => !(result instanceof FanfareError));
}

function placeOf(result: BatchResult): Published | FanfareError {
  if ("position" in result) {
    const { epoch, offset } = result.position;
    return { channel: result.channel, epoch, offset };
  }
  if (result.error instanceof FanfareError) return result.error;
  throw result.error;
}

function isList<T>(batch: readonly T[] | MessageToMany): batch is readonly T[] {
  return Array.isArray(batch);
}

function toOne(hub: Hub, message: MessageToPublish, where: string): Prepared {
  checkMembers(where, message, MESSAGE);
  const { channel, event, data, key } = message;
  return hub.publishing.prepare(parseChannelName(channel), { event, data, key });
}

function toMany(hub: Hub, message: MessageToMany): Prepared[] {
  checkMembers("messages", message, MESSAGE_TO_MANY);
  const { channels, event, data, key } = message;
  if (!Array.isArray(channels)) {
    throw new FanfareError("invalid_request", `messages.channels is ${String(channels)}`, {
      remedy: "Give a list of channels.",
    });
  }
  return hub.publishing.prepareForAll(
    channels.map((channel) => parseChannelName(channel)),
    { event, data, key },
  );
}
