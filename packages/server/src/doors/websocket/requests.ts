/** What a connected client asks for: each request goes to the hub, and each answer back. */
import {
  type ChannelName,
  CLOSE,
  type ClientFrame,
  type CloseCode,
  FanfareError,
  type PublishFrame,
  parseChannelName,
  type SubscribeItem,
} from "@fanfare/protocol";
import { type Action, NOBODY, refusal } from "../../access/policy.js";
import type { Connection } from "../../hub/connection.js";
import type { SubscribeRequest } from "../../hub/subscription.js";
import { MalformedFrameError } from "./client-frame.js";
import type { DoorContext } from "./context.js";
import { encodeFrame, errorFrame, PONG_FRAME } from "./encoding.js";

/** What requests need of the peer that sends them. */
export interface Requester {
  close(code: CloseCode, reason: string): void;
  /** An error of ours, not of the client. */
  failedInside(error: unknown): void;
  /** So many bytes of publishes more, or less, have not been acknowledged by the engine. */
  publishing(bytes: number): void;
}

export class Requests {
  readonly #connection: Connection;
  readonly #door: DoorContext;
  readonly #requester: Requester;

  constructor(connection: Connection, door: DoorContext, requester: Requester) {
    this.#connection = connection;
    this.#door = door;
    this.#requester = requester;
  }

  /** @throws MalformedFrameError when the frame has no place here */
  take(frame: ClientFrame, length: number): void {
    const { messageBytes } = this.#door.hub.limits;
    if (frame.type !== "publish" && length > messageBytes) {
      const reason = `a ${frame.type} frame of ${length} bytes; ${messageBytes} are allowed`;
      this.#requester.close(CLOSE.tooBig, reason);
      return;
    }
    switch (frame.type) {
      case "connect":
        throw new MalformedFrameError("a second connect frame");
      case "ping":
        this.#connection.answer(PONG_FRAME);
        return;
      case "subscribe":
        if ("channels" in frame) this.#subscribeAll(frame.id, frame.channels);
        else this.subscribe(frame.channel, { request: frame.id, since: frame.since });
        return;
      case "unsubscribe":
        this.#unsubscribe(frame.channel, frame.id);
        return;
      case "publish":
        void this.#publish(frame, length);
    }
  }

  subscribe(text: string, request: SubscribeRequest): void {
    const connection = this.#connection;
    try {
      const channel = parseChannelName(text);
      this.#authorize("subscribe", channel);
      connection.subscribe(channel, request);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      // Encoded now, unlike a refusal of the hub: the text may be as long as a frame, and has to count as what it is.
      connection.answer(encodeFrame(errorFrame(error, request.request, text)));
      if (request.batch) connection.answered(request.batch);
    }
  }

  #subscribeAll(id: number, items: readonly SubscribeItem[]): void {
    const batch = { request: id, unanswered: items.length };
    for (const { channel, since } of items) this.subscribe(channel, { request: id, since, batch });
  }

  #unsubscribe(text: string, id: number): void {
    try {
      this.#connection.unsubscribe(parseChannelName(text), id);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#connection.answer(encodeFrame(errorFrame(error, id, text)));
    }
  }

  async #publish({ id, channel: text, event, data, key }: PublishFrame, length: number): Promise<void> {
    const connection = this.#connection;
    const requester = this.#requester;
    requester.publishing(length);
    try {
      const channel = parseChannelName(text);
      this.#authorize("publish", channel);
      const { epoch, offset } = await this.#door.hub.publish(channel, {
        data,
        event,
        key,
        principal: `session ${connection.publisher}`,
      });
      connection.answer(encodeFrame({ type: "ok", id, channel, epoch, offset }));
    } catch (error) {
      if (!(error instanceof FanfareError)) requester.failedInside(error);
      else if (error.code === "forbidden") requester.close(CLOSE.notAllowed, error.message);
      else if (error.code === "too_large") requester.close(CLOSE.tooBig, error.message);
      else connection.answer(encodeFrame(errorFrame(error, id, text)));
    } finally {
      requester.publishing(-length);
    }
  }

  /** @throws FanfareError `forbidden` */
  #authorize(action: Action, channel: ChannelName): void {
    if (this.#door.authorize(NOBODY, action, channel)) return;
    throw refusal(action, channel);
  }
}
