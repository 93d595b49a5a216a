/** What the WebSocket door says, as bytes: the server frames of PROTOCOL.md. */
import type {
  ConnectedFrame,
  ErrorFrame,
  FanfareError,
  GapFrame,
  GoodbyeFrame,
  OkFrame,
  PongFrame,
  RenewedFrame,
  UnsubscribedFrame,
} from "@fanfare/protocol";
import type { Message } from "../../engine/engine.js";
import { LockRefusedError } from "../../hub/lock-record.js";
import type { Encoding } from "../../hub/subscriber.js";
import { presenceFields } from "../presence-fields.js";
import { textFrame } from "./frame.js";

type AnswerFrame =
  | ConnectedFrame
  | RenewedFrame
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
export function errorFrame(error: FanfareError, id: number | undefined, channel?: string): ErrorFrame {
  const { code, message, remedy, retryAfter } = error;
  return {
    type: "error",
    ...(id !== undefined && { id }),
    ...(channel !== undefined && { channel }),
    code,
    message,
    remedy,
    ...(retryAfter !== undefined && { retryAfter }),
    ...(error instanceof LockRefusedError && { ...(error.lock && { lock: error.lock }), time: error.time }),
  };
}

export const PONG_FRAME = encodeFrame({ type: "pong" });

export const webSocketEncoding: Encoding = {
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
    const id = request !== undefined && { id: request };
    const text = JSON.stringify({ type: "subscribed", ...id, ...answer }).slice(0, -1);
    const stateText = state === undefined ? "" : `,"state":${state}`;
    const presenceText = presence === undefined ? "" : `,"presence":${presence}`;
    return textFrame(`${text}${stateText}${presenceText}}`);
  },
  refused: (request, channel, error) => encodeFrame(errorFrame(error, request, channel)),
  done: (request) => encodeFrame({ type: "ok", id: request }),
};
