/** What a connected client asks for: each call goes to the hub or to a service, and each answer back. */
import { type ChannelName, FanfareError, parseAudibleName, parseChannelName } from "@fanfare/protocol";
import type { Action } from "../../access/actions.js";
import type { Meter } from "../../access/meter.js";
import { publisherOf } from "../../access/principal.js";
import type { Visit } from "../../access/visit.js";
import { shownError } from "../../feathers/feathers-error.js";
import type { ServiceCaller } from "../../feathers/service.js";
import { isServiceMethod } from "../../feathers/services.js";
import type { Connection } from "../../hub/connection.js";
import { attendanceOf } from "../attendance.js";
import { type Call, type Input, parseCall, type Wanted } from "./calls.js";
import type { SocketIoContext } from "./context.js";
import { ackFrame, errorJson, eventFrame, NO_ANSWER, positionJson } from "./encoding.js";
import type { Envelope } from "./parser.js";

/** An event as it came. */
export interface Asked {
  readonly event: string;
  readonly args: readonly unknown[];
  readonly envelope: Envelope;
}

/** How an event is answered. */
interface Reply {
  readonly event: string;
  readonly id: number;
  /** It is answered in the way of Feathers: the error first, then the result. */
  readonly ofService: boolean;
}

/** What requests need of the peer that sends them. */
export interface Requester {
  /** Goes on with a new token. */
  renew(token: string): Promise<object>;
  /** Sends the client away, not to come back by itself. */
  dismiss(error: FanfareError): void;
  /** An error of ours, not of the client. */
  failedInside(error: unknown): void;
  /** So many characters of calls more, or less, have not been answered by the engine. */
  publishing(length: number): void;
}

export class Requests {
  readonly #connection: Connection;
  readonly #visit: Visit;
  readonly #meter: Meter | null;
  readonly #door: SocketIoContext;
  readonly #requester: Requester;
  readonly #caller: ServiceCaller;
  /** The services that the client hears without having asked. */
  readonly #auto = new Set<ChannelName>();

  /** @param meter counts what is asked; none for whoever is not limited */
  constructor(
    connection: Connection,
    visit: Visit,
    meter: Meter | null,
    door: SocketIoContext,
    requester: Requester,
  ) {
    this.#connection = connection;
    this.#visit = visit;
    this.#meter = meter;
    this.#door = door;
    this.#requester = requester;
    const requests = this;
    this.#caller = {
      texts: false,
      get publisher() {
        return requests.#publisher;
      },
      allow: (action, channel) => this.#allow(action, channel),
      may: (action, channel) => visit.may(action, channel),
    };
  }

  /** What the client hears when it has come in: what it named, else what goes by itself. */
  begin(wanted: readonly Wanted[] | undefined): void {
    const { hub, services } = this.#door;
    const named = new Set(wanted?.map(({ channel }) => channel));
    for (const channel of hub.rules.auto) {
      if (!named.has(channel) && this.#visit.may("subscribe", channel))
        this.#subscribe({ channel }, NO_ANSWER);
    }
    if (wanted) {
      const reply: Reply = { event: "subscribe", id: NO_ANSWER, ofService: false };
      for (const each of wanted) this.#try(reply, () => this.#subscribe(each, NO_ANSWER));
      return;
    }
    for (const { settings } of services.all) {
      const { name, join } = settings;
      if (join !== "all" || !this.#visit.may("subscribe", name)) continue;
      this.#subscribe({ channel: name }, NO_ANSWER);
      this.#auto.add(name);
    }
  }

  take({ event, args, envelope }: Asked): void {
    const reply: Reply = {
      event,
      id: envelope.id ?? NO_ANSWER,
      ofService: isServiceMethod(event) && typeof args[0] === "string",
    };
    this.#try(reply, () => {
      const tooMuch = this.#meter?.frame();
      if (tooMuch) throw tooMuch;
      this.#do(parseCall(event, args), reply, envelope.length);
    });
  }

  #do(call: Call, reply: Reply, length: number): void {
    switch (call.kind) {
      case "subscribe":
        this.#subscribe(call.input, reply.id);
        return;
      case "unsubscribe":
        this.#unsubscribe(call.input.channel, reply.id);
        return;
      case "token":
        void this.#await(reply, 0, async () => [
          JSON.stringify(await this.#requester.renew(call.input.token)),
        ]);
        return;
      case "publish":
        void this.#await(reply, length, () => this.#publish(call.input));
        return;
      case "patch":
        void this.#await(reply, length, () => this.#patch(call.input));
        return;
      case "service":
        void this.#await(reply, length, async () => {
          const result = await this.#door.services.call(call.method, call.service, call.args, this.#caller);
          return ["null", JSON.stringify(result)];
        });
    }
  }

  async #publish({ channel: text, data, event, key }: Input<"publish">): Promise<readonly string[]> {
    const channel = this.#channelFor("publish", text);
    const appended = await this.#door.hub.publish(channel, { data, event, key, ...this.#publisher });
    return [positionJson(channel, appended)];
  }

  async #patch({ channel: text, patch, ifVersion, key }: Input<"patch">): Promise<readonly string[]> {
    const channel = this.#channelFor("patch", text);
    const { principal } = this.#publisher;
    const appended = await this.#door.hub.changeState(channel, { patch, ifVersion, key, principal });
    return [positionJson(channel, appended)];
  }

  /** Whoever names records hears those, and no longer all that goes on in the service. */
  #subscribe({ channel: text, since, state }: Wanted, answerTo: number): void {
    const tooMuch = this.#meter?.subscription();
    if (tooMuch) throw tooMuch;
    const channel = parseAudibleName(text);
    this.#visit.allow("subscribe", channel);
    this.#separate(channel);
    const withheld = since !== undefined && !this.#visit.may("history", channel);
    const attendance = attendanceOf(this.#door.hub, this.#connection, this.#visit, channel);
    const request = {
      request: answerTo,
      since: withheld ? undefined : since,
      state,
      ...(attendance && { attendance }),
    };
    this.#connection.subscribe(channel, withheld ? { ...request, withheld } : request);
  }

  #unsubscribe(text: string, answerTo: number): void {
    const channel = parseAudibleName(text);
    this.#auto.delete(channel);
    this.#connection.unsubscribe(channel, answerTo);
  }

  /** What happens to a record is told in two channels; nobody may hear it twice. @throws FanfareError `already_subscribed` */
  #separate(channel: ChannelName): void {
    const service = this.#door.services.of(channel)?.settings.name;
    if (service === undefined) return;
    const { subscriptions } = this.#connection;
    if (this.#auto.delete(service)) this.#connection.unsubscribe(service, NO_ANSWER);
    const names = [...subscriptions.values()].map(({ channel: { name } }) => name);
    const other = names.find((name) =>
      channel === service ? name.startsWith(`${service}:`) : name === service,
    );
    if (other === undefined) return;
    throw new FanfareError(
      "already_subscribed",
      `${other} is subscribed, and would be heard twice with ${channel}`,
      {
        remedy: `Unsubscribe from ${other} first: subscribe either to the service or to single records.`,
      },
    );
  }

  get #publisher() {
    return publisherOf(this.#visit.principal, `connection ${this.#connection.publisher}`);
  }

  #channelFor(action: Action, text: string): ChannelName {
    const channel = parseChannelName(text);
    this.#allow(action, channel);
    return channel;
  }

  #allow(action: Action, channel: ChannelName): void {
    this.#visit.allow(action, channel);
    if (action !== "publish" && action !== "patch") return;
    const tooMuch = this.#meter?.publish();
    if (tooMuch) throw tooMuch;
  }

  /** @param work answers with what the callback is called with, as JSON texts */
  async #await(reply: Reply, length: number, work: () => Promise<readonly string[]>): Promise<void> {
    this.#requester.publishing(length);
    try {
      this.#connection.answer(ackFrame(reply.id, ...(await work())));
    } catch (error) {
      this.#refuse(reply, error);
    } finally {
      this.#requester.publishing(-length);
    }
  }

  #try(reply: Reply, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#refuse(reply, error);
    }
  }

  /** Tells the client; whoever tries too much for too long is sent away. */
  #refuse({ event, id, ofService }: Reply, cause: unknown): void {
    if (!(cause instanceof FanfareError)) this.#requester.failedInside(cause);
    const error = shownError(cause);
    const tried = error.code === "forbidden" && this.#visit.refused(this.#door.hub.clock);
    const tooFast = error.code === "rate_limited" && this.#meter?.tolerated === false;
    if (tried || tooFast) {
      this.#requester.dismiss(error);
      return;
    }
    const json = errorJson(error);
    if (ofService && id !== NO_ANSWER) this.#connection.answer(ackFrame(id, json));
    else if (id !== NO_ANSWER) this.#connection.answer(ackFrame(id, `{"error":${json}}`));
    else this.#connection.answer(eventFrame("refused", `{"event":${JSON.stringify(event)},"error":${json}}`));
  }
}
