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
  SubscribedFrame,
  UnsubscribedFrame,
} from "@fanfare/protocol";
import type { Message } from "../../engine/engine.js";
import type { Encoding } from "../../hub/subscriber.js";
import { textFrame } from "./frame.js";

type AnswerFrame =
  | ConnectedFrame
  | RenewedFrame
  | UnsubscribedFrame
  | SubscribedFrame
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
  subscribed: ({ request, ...answer }) =>
    encodeFrame({ type: "subscribed", ...(request !== undefined && { id: request }), ...answer }),
  refused: (request, channel, error) => encodeFrame(errorFrame(error, request, channel)),
  done: (request) => encodeFrame({ type: "ok", id: request }),
};
