/** The requests of a connected client: makes each frame a call of its session, and each answer a frame. */
import {
  CLOSE,
  type ClientFrame,
  FanfareError,
  type OkFrame,
  parseAudibleName,
  type SubscribeItem,
} from "@fanfare/protocol";
import type { SubscribeRequest } from "../../hub/delivery/subscription.js";
import { lock, next, patch, publish, unlock } from "../session/calls.js";
import type { ClientSession } from "../session/client-session.js";
import { MalformedFrameError } from "./client-frame.js";
import { encodeFrame, errorFrame, PONG_FRAME } from "./encoding.js";

/** A frame without data may have this in any case, however small the messages are to be: clients split batches at 32 KiB. */
export const MIN_FRAME_BYTES = 32 * 1024;

/** The transport, as its requests see it. */
export interface Requester {
  /** Goes on with a new token. */
  renew(token: string): void;
  /** This many bytes of publishes more, or less, have not been acknowledged by the engine. */
  publishing(bytes: number): void;
}

/** The result, as the `ok` says it. */
type Done = Omit<OkFrame, "type" | "request">;

export class Requests {
  readonly #session: ClientSession;
  readonly #requester: Requester;

  constructor(session: ClientSession, requester: Requester) {
    this.#session = session;
    this.#requester = requester;
  }

  /** @throws MalformedFrameError when the frame has no place here */
  take(frame: ClientFrame, length: number): void {
    const session = this.#session;
    const tooMuch = session.countFrame();
    if (tooMuch) {
      this.#refuse(tooMuch, "request" in frame ? frame.request : undefined);
      return;
    }
    const most = Math.max(session.host.hub.limits.messageBytes, MIN_FRAME_BYTES);
    const carriesData = frame.type === "publish" || frame.type === "patch";
    if (!carriesData && length > most) {
      const message = `a ${frame.type} frame of ${length} bytes; ${most} are allowed`;
      session.close({ close: CLOSE.tooBig, error: new FanfareError("too_large", message) });
      return;
    }
    switch (frame.type) {
      case "connect":
        throw new MalformedFrameError("a second connect frame");
      case "ping":
        session.connection.answer(PONG_FRAME);
        return;
      case "subscribe":
        if ("channels" in frame) this.#subscribeAll(frame.request, frame.channels);
        else
          this.subscribe(frame.channel, { request: frame.request, since: frame.since, state: frame.state });
        return;
      case "unsubscribe":
        if ("channels" in frame) this.#unsubscribeAll(frame.channels, frame.request);
        else this.#unsubscribe(frame.channel, frame.request);
        return;
      case "token":
        this.#requester.renew(frame.token);
        return;
      case "publish":
        void this.#answer(frame.request, frame.channel, length, () => publish(session, frame.channel, frame));
        return;
      case "patch":
        void this.#answer(frame.request, frame.channel, length, () => patch(session, frame.channel, frame));
        return;
      case "lock":
        void this.#answer(frame.request, frame.name, length, async () => ({
          name: frame.name,
          ...(await lock(session, frame.name, frame)),
        }));
        return;
      case "unlock":
        void this.#answer(frame.request, frame.name, length, async () => {
          await unlock(session, frame.name, frame.token);
          return { name: frame.name };
        });
        return;
      case "next":
        void this.#answer(frame.request, frame.name, length, async () => ({
          name: frame.name,
          ...(await next(session, frame.name, frame)),
        }));
    }
  }

  subscribe(text: string, request: SubscribeRequest): void {
    const session = this.#session;
    try {
      session.subscribe(text, request);
    } catch (error) {
      // Encoded now, unlike a refusal of the hub: the text may be as long as a frame, and has to count as what it is.
      this.#refuse(error, request.request, text);
      if (request.batch) session.connection.answered(request.batch);
    }
  }

  #subscribeAll(request: number, items: readonly SubscribeItem[]): void {
    const batch = { request, unanswered: items.length };
    for (const { channel, since, state } of items) {
      this.subscribe(channel, { request, since, state, batch });
    }
  }

  #unsubscribe(text: string, request: number): void {
    try {
      this.#session.connection.unsubscribe(parseAudibleName(text), request);
    } catch (error) {
      this.#refuse(error, request, text);
    }
  }

  #unsubscribeAll(texts: readonly string[], request: number): void {
    try {
      this.#session.connection.unsubscribeAll(texts.map(parseAudibleName), request);
    } catch (error) {
      this.#refuse(error, request);
    }
  }

  /** @param channel what an error names: a channel, a lock or a sequence */
  async #answer(request: number, channel: string, length: number, work: () => Promise<Done>): Promise<void> {
    this.#requester.publishing(length);
    try {
      this.#session.connection.answer(encodeFrame({ type: "ok", request, ...(await work()) }));
    } catch (error) {
      this.#refuse(error, request, channel);
    } finally {
      this.#requester.publishing(-length);
    }
  }

  /** Tells the client, unless it was closed for it. */
  #refuse(cause: unknown, request: number | undefined, channel?: string): void {
    const error = this.#session.refused(cause);
    if (error) this.#session.connection.answer(encodeFrame(errorFrame(error, request, channel)));
  }
}
