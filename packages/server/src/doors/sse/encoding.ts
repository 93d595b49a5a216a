/** Encodes the words of the SSE door as blocks of an event stream (HTML Standard, section 9.2): see PROTOCOL.md, section 11. */
import type { FanfareError } from "@fanfare/protocol";
import { presenceFields } from "../presence-fields.js";
import type { ClientEncoding } from "../session/transport.js";

/** Events of the server's own begin with this, and no others do. */
const OWN = "fanfare.";
/** Names that an `EventSource` has for itself. */
const TAKEN = new Set(["message", "open", "error"]);

/** A comment, which keeps what lies between from closing an idle connection. */
export const KEEP_ALIVE = block(": keep-alive\n\n");

/** An event of the server's own. */
export function ownEvent(name: string, fields: object): Uint8Array {
  return block(`event: ${OWN}${name}\ndata: ${JSON.stringify(fields)}\n\n`);
}

/** The same as `ownEvent`, with the milliseconds after which an `EventSource` is to come back when the stream ends. */
export function ownEventWithRetry(retryMs: number, name: string, fields: object): Uint8Array {
  return block(`retry: ${retryMs}\nevent: ${OWN}${name}\ndata: ${JSON.stringify(fields)}\n\n`);
}

/** The cursor that a client has to show when it comes back. It has a name and data, since some clients ignore an `id` that stands alone. */
export function cursorBlock(cursor: string): Uint8Array {
  return Buffer.from(`event: ${OWN}cursor\nid: ${cursor}\ndata: -\n\n`, "latin1");
}

/** Where an event cannot have its own name, it is a `message`; its data say the name in any case. */
function nameLine(event: string): string {
  if (TAKEN.has(event) || event.startsWith(OWN) || /[\r\n]/.test(event)) return "";
  return `event: ${event}\n`;
}

export const sseEncoding: ClientEncoding = {
  /** Put together by hand: the data is JSON text already, which has no line breaks, and channel names need no escapes. */
  message({ channel, offset, time, event, json, user, id }) {
    const eventText = event === "message" ? '"message"' : JSON.stringify(event);
    const userText = user === undefined ? "" : `,"user":${JSON.stringify(user)}`;
    const idText = id === undefined ? "" : `,"id":${JSON.stringify(id)}`;
    return block(
      `${nameLine(event)}data: {"channel":"${channel}","offset":${offset},"time":${time},"event":${eventText},"data":${json}${userText}${idText}}\n\n`,
    );
  },
  gap: (gap) => ownEvent("gap", gap),
  state: ({ channel, from, offset, change, json }) =>
    block(
      `event: ${OWN}state\ndata: {"channel":"${channel}","from":${from},"offset":${offset},"${change}":${json}}\n\n`,
    ),
  presence: (news) => block(`event: ${OWN}presence\ndata: {${presenceFields(news)}}\n\n`),
  subscribed({ request: _, state, presence, ...answer }) {
    const text = JSON.stringify(answer).slice(0, -1);
    const stateText = state === undefined ? "" : `,"state":${state}`;
    const presenceText = presence === undefined ? "" : `,"presence":${presence}`;
    return block(`event: ${OWN}subscribed\ndata: ${text}${stateText}${presenceText}}\n\n`);
  },
  refused: (_, channel, error) => refusal(channel, error),
  // Nothing asks for several at once.
  done: () => new Uint8Array(0),
  grants: ownEvent("grants", {}),
  unsubscribed: (channel, { code }) => ownEvent("unsubscribed", { channel, code }),
};

/** A channel that is not to be heard. */
export function refusal(
  channel: string,
  { code, message, remedy, retryAfterSeconds }: FanfareError,
): Uint8Array {
  return ownEvent("error", {
    channel,
    code,
    message,
    remedy,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}

function block(text: string): Uint8Array {
  const length = Buffer.byteLength(text);
  // Not from the pool: blocks live on in the channels' windows, and a small one would keep a pool of 8 KiB alive.
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.write(text);
  return bytes;
}
