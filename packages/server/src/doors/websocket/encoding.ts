/** The server frames of PROTOCOL.md, as bytes. */
import type {
  ConnectedFrame,
  ErrorFrame,
  FanfareError,
  GapFrame,
  GoodbyeFrame,
  GrantsFrame,
  OkFrame,
  PongFrame,
  RenewedFrame,
  UnsubscribedFrame,
} from "@fanfare/protocol";
import type { Message } from "../../engine/engine.js";
import { presenceFields } from "../presence-fields.js";
import { textFrame } from "../rfc6455/frame.js";
import type { ClientEncoding } from "../session/transport.js";

type AnswerFrame =
  | ConnectedFrame
  | RenewedFrame
  | GrantsFrame
  | UnsubscribedFrame
  | GapFrame
  | OkFrame
  | ErrorFrame
  | GoodbyeFrame
  | PongFrame;

/** One frame that is no message. */
export function encodeFrame(frame: AnswerFrame): Uint8Array {
  return textFrame(JSON.stringify(frame));
}

/** The `error` frame of an error. */
export function errorFrame(error: FanfareError, request: number | undefined, channel?: string): ErrorFrame {
  const { publicCode: code, message, remedy, retryAfterSeconds, lock, time } = error;
  return {
    type: "error",
    ...(request !== undefined && { request }),
    ...(channel !== undefined && { channel }),
    code,
    message,
    remedy,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(lock && { lock }),
    ...(time !== undefined && { time }),
  };
}

export const PONG_FRAME = encodeFrame({ type: "pong" });

export const webSocketEncoding: ClientEncoding = {
  /** Put together by hand: the data is JSON text already, and channel names need no escapes. */
  message({ channel, offset, time, event, json, user, id }: Message): Uint8Array {
    const eventText = event === "message" ? '"message"' : JSON.stringify(event);
    const userText = user === undefined ? "" : `,"user":${JSON.stringify(user)}`;
    const idText = id === undefined ? "" : `,"id":${JSON.stringify(id)}`;
    return textFrame(
      `{"type":"message","channel":"${channel}","offset":${offset},"time":${time},"event":${eventText},"data":${json}${userText}${idText}}`,
    );
  },
  gap: (gap) => encodeFrame({ type: "gap", ...gap }),
  state: ({ channel, from, offset, change, json }) =>
    textFrame(
      `{"type":"state","channel":"${channel}","from":${from},"offset":${offset},"${change}":${json}}`,
    ),
  presence: (news) => textFrame(`{"type":"presence",${presenceFields(news)}}`),
  subscribed({ request, state, presence, ...answer }) {
    const text = JSON.stringify({ type: "subscribed", request, ...answer }).slice(0, -1);
    const stateText = state === undefined ? "" : `,"state":${state}`;
    const presenceText = presence === undefined ? "" : `,"presence":${presence}`;
    return textFrame(`${text}${stateText}${presenceText}}`);
  },
  refused: (request, channel, error) => encodeFrame(errorFrame(error, request, channel)),
  done: (request) => encodeFrame({ type: "ok", request }),
  grants: encodeFrame({ type: "grants" }),
  unsubscribed: (channel, { publicCode: code }) => encodeFrame({ type: "unsubscribed", channel, code }),
};
