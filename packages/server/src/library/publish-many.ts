/** Publishing many messages in one call, in process. */
import { FanfareError, type Published, parseChannelName, shown } from "@fanfare/protocol";
import { checkMembers, membersOf } from "../base/known-names.js";
import type { Hub } from "../hub/hub.js";
import type { BatchResult, Prepared } from "../hub/publishing.js";

/** One message for one channel. */
export interface MessageToPublish {
  readonly channel: string;
  /** The kind of message. @default "message" */
  readonly event?: string;
  /** Any JSON value, at most 64 KiB. */
  readonly data: unknown;
  /** Idempotency key, within this channel; it comes back as `message.id`. */
  readonly id?: string;
}

/** One message for many channels. */
export interface MessageToMany extends Omit<MessageToPublish, "channel"> {
  readonly channels: readonly string[];
}

const MESSAGE = membersOf<MessageToPublish>({ channel: true, event: true, data: true, id: true });
const MESSAGE_TO_MANY = membersOf<MessageToMany>({ channels: true, event: true, data: true, id: true });

/** @throws FanfareError; where its `results` are set, some messages were appended */
export async function publishMany(
  hub: Hub,
  batch: readonly MessageToPublish[] | MessageToMany,
): Promise<Published[]> {
  if (typeof batch !== "object" || batch === null) {
    throw new FanfareError("invalid_request", `messages is ${shown(batch)}`, {
      remedy: "Give a list of messages, or an object with channels, event, data, id.",
    });
  }
  const prepared = isList(batch)
    ? batch.map((each, index) => naming(`messages[${index}]`, (where) => toOne(hub, each, where)))
    : toMany(hub, batch);
  const results = (await hub.publishing.appendAll(prepared, (error) => error)).map(placeOf);
  const failures = results.filter((result) => result instanceof FanfareError);
  if (failures[0]) throw someFailed(failures[0], failures.length, results);
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
  const { channel, event, data, id } = message;
  return hub.publishing.prepare(parseChannelName(channel), { event, data, id });
}

function toMany(hub: Hub, message: MessageToMany): Prepared[] {
  checkMembers("messages", message, MESSAGE_TO_MANY);
  const { channels, event, data, id } = message;
  if (!Array.isArray(channels)) {
    throw new FanfareError("invalid_request", `messages.channels is ${shown(channels)}`, {
      remedy: "Give a list of channels.",
    });
  }
  const names = channels.map((name, index) => naming(`channels[${index}]`, () => parseChannelName(name)));
  return hub.publishing.prepareForAll(names, { event, data, id });
}

/** Names a part of the call in an error about it, as HTTP does. */
function naming<T>(where: string, look: (where: string) => T): T {
  try {
    return look(where);
  } catch (error) {
    if (!(error instanceof FanfareError) || error.message.startsWith(where)) throw error;
    throw new FanfareError(error.code, `${where}: ${error.message}`, { remedy: error.remedy });
  }
}

/** Some messages of many could not be appended; the code is that of the first of these. */
function someFailed(
  first: FanfareError,
  failed: number,
  results: readonly (Published | FanfareError)[],
): FanfareError {
  const { code, remedy, retryAfterSeconds } = first;
  const message = `${failed} of ${results.length} messages were not appended; the first: ${first.message}`;
  return new FanfareError(code, message, {
    remedy,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    cause: first,
    results,
  });
}
