/** What a connected client asks for: each request goes to the hub, and each answer back. */
import {
  type ChannelName,
  CLOSE,
  type ClientFrame,
  type CloseCode,
  FanfareError,
  type LockFrame,
  type LockHolder,
  type NextFrame,
  type OkFrame,
  type PatchFrame,
  type Position,
  type PublishFrame,
  parseAudibleName,
  parseChannelName,
  type SubscribeItem,
  type UnlockFrame,
} from "@fanfare/protocol";
import type { Action } from "../../access/actions.js";
import type { Meter } from "../../access/meter.js";
import { holderOf, publisherOf } from "../../access/principal.js";
import type { Visit } from "../../access/visit.js";
import type { Connection } from "../../hub/connection.js";
import type { SubscribeRequest } from "../../hub/subscription.js";
import { attendanceOf } from "../attendance.js";
import { MalformedFrameError } from "./client-frame.js";
import type { DoorContext } from "./context.js";
import { encodeFrame, errorFrame, PONG_FRAME } from "./encoding.js";

/** What requests need of the peer that sends them. */
export interface Requester {
  /** Goes on with a new token. */
  renew(token: string): void;
  close(code: CloseCode, reason: string): void;
  /** It went on for too long over a rate, though it was told. */
  tooFast(error: FanfareError): void;
  /** An error of ours, not of the client. */
  failedInside(error: unknown): void;
  /** So many bytes of publishes more, or less, have not been acknowledged by the engine. */
  publishing(bytes: number): void;
}

/** What the `ok` says about what was done. */
type Done = Omit<OkFrame, "type" | "id">;

export class Requests {
  readonly #connection: Connection;
  readonly #visit: Visit;
  readonly #meter: Meter | null;
  readonly #door: DoorContext;
  readonly #requester: Requester;

  /** @param meter counts what is asked; none for whoever is not limited */
  constructor(
    connection: Connection,
    visit: Visit,
    meter: Meter | null,
    door: DoorContext,
    requester: Requester,
  ) {
    this.#connection = connection;
    this.#visit = visit;
    this.#meter = meter;
    this.#door = door;
    this.#requester = requester;
  }

  /** @throws MalformedFrameError when the frame has no place here */
  take(frame: ClientFrame, length: number): void {
    const tooMuch = this.#meter?.frame();
    if (tooMuch) {
      this.#refuse(tooMuch, "id" in frame ? frame.id : undefined);
      return;
    }
    const { messageBytes } = this.#door.hub.limits;
    const carriesData = frame.type === "publish" || frame.type === "patch";
    if (!carriesData && length > messageBytes) {
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
        else this.subscribe(frame.channel, { request: frame.id, since: frame.since, state: frame.state });
        return;
      case "unsubscribe":
        this.#unsubscribe(frame.channel, frame.id);
        return;
      case "token":
        this.#requester.renew(frame.token);
        return;
      case "publish":
        void this.#publish(frame, length);
        return;
      case "patch":
        void this.#patch(frame, length);
        return;
      case "lock":
        void this.#lock(frame, length);
        return;
      case "unlock":
        void this.#unlock(frame, length);
        return;
      case "next":
        void this.#next(frame, length);
    }
  }

  subscribe(text: string, request: SubscribeRequest): void {
    const connection = this.#connection;
    try {
      const tooMuch = this.#meter?.subscription();
      if (tooMuch) throw tooMuch;
      const channel = parseAudibleName(text);
      this.#visit.allow("subscribe", channel);
      const withheld = request.since !== undefined && !this.#visit.may("history", channel);
      const attendance = attendanceOf(this.#door.hub, connection, this.#visit, channel);
      const own = attendance ? { ...request, attendance } : request;
      connection.subscribe(channel, withheld ? { ...own, since: undefined, withheld } : own);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      if (error.code === "forbidden" && this.#visit.refused(this.#door.hub.clock)) {
        this.#requester.close(CLOSE.notAllowed, "refused too often in a minute");
        return;
      }
      // Encoded now, unlike a refusal of the hub: the text may be as long as a frame, and has to count as what it is.
      this.#refuse(error, request.request, text);
      if (request.batch) connection.answered(request.batch);
    }
  }

  #subscribeAll(id: number, items: readonly SubscribeItem[]): void {
    const batch = { request: id, unanswered: items.length };
    for (const { channel, since, state } of items) {
      this.subscribe(channel, { request: id, since, state, batch });
    }
  }

  #unsubscribe(text: string, id: number): void {
    try {
      this.#connection.unsubscribe(parseAudibleName(text), id);
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
      this.#connection.answer(encodeFrame(errorFrame(error, id, text)));
    }
  }

  #publish({ event, data, key, ...frame }: PublishFrame, length: number): Promise<void> {
    return this.#act("publish", frame, length, async (channel, publisher) =>
      appended(channel, await this.#door.hub.publish(channel, { data, event, key, ...publisher })),
    );
  }

  #patch({ patch, ifVersion, key, ...frame }: PatchFrame, length: number): Promise<void> {
    return this.#act("patch", frame, length, async (channel, { principal }) =>
      appended(channel, await this.#door.hub.changeState(channel, { patch, ifVersion, key, principal })),
    );
  }

  #lock({ id, name, ...input }: LockFrame, length: number): Promise<void> {
    const isRenewal = input.token !== undefined;
    return this.#act(isRenewal ? null : "lock", { id, channel: name }, length, async (lock) => {
      // No reason to send somebody away: the grant may have been taken away while it held the lock.
      if (isRenewal && !this.#visit.may("lock", lock)) {
        throw new FanfareError("lock_lost", `the grant for locking ${lock} was taken away`);
      }
      const held = await this.#door.hub.locks.take(lock, { ...input, holder: this.#holder });
      return { name: lock, ...held };
    });
  }

  #unlock({ id, name, token }: UnlockFrame, length: number): Promise<void> {
    return this.#act(null, { id, channel: name }, length, async (lock) => {
      await this.#door.hub.locks.release(lock, { holder: this.#holder, token });
      return { name: lock };
    });
  }

  #next({ id, name, count, key }: NextFrame, length: number): Promise<void> {
    return this.#act("sequence", { id, channel: name }, length, async (sequence, { principal }) => {
      const numbers = await this.#door.hub.sequences.next(sequence, { count, key, principal });
      return { name: sequence, ...numbers };
    });
  }

  /** Locks are held by sessions, so that they pass over to the next connection. */
  get #holder(): LockHolder {
    return { ...holderOf(this.#visit.principal), session: this.#connection.publisher };
  }

  /**
   * Does what a client may do only with a grant; whoever tries without one, is sent away.
   *
   * @param action `null` where no grant is needed
   */
  async #act(
    action: Action | null,
    { id, channel: text }: { readonly id: number; readonly channel: string },
    length: number,
    act: (channel: ChannelName, publisher: ReturnType<typeof publisherOf>) => Promise<Done>,
  ): Promise<void> {
    const connection = this.#connection;
    const requester = this.#requester;
    requester.publishing(length);
    try {
      const tooMuch = this.#meter?.publish();
      if (tooMuch) throw tooMuch;
      const channel = parseChannelName(text);
      if (action) this.#visit.allow(action, channel);
      const publisher = publisherOf(this.#visit.principal, `session ${connection.publisher}`);
      connection.answer(encodeFrame({ type: "ok", id, ...(await act(channel, publisher)) }));
    } catch (error) {
      if (!(error instanceof FanfareError)) requester.failedInside(error);
      else if (error.code === "forbidden") requester.close(CLOSE.notAllowed, error.message);
      else if (error.code === "too_large") requester.close(CLOSE.tooBig, error.message);
      else this.#refuse(error, id, text);
    } finally {
      requester.publishing(-length);
    }
  }

  /** Tells the client; whoever goes on over a rate though he was told, is sent away. */
  #refuse(error: FanfareError, id: number | undefined, channel?: string): void {
    if (error.code === "rate_limited" && this.#meter?.tolerated === false) this.#requester.tooFast(error);
    else this.#connection.answer(encodeFrame(errorFrame(error, id, channel)));
  }
}

function appended(channel: ChannelName, { epoch, offset }: Position): Done {
  return { channel, epoch, offset };
}
