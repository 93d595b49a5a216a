/** The requests of a connected client: makes each event a call of its session or of a service, and each answer a packet. */
import { type ChannelName, FanfareError, parseAudibleName } from "@fanfare/protocol";
import { checkUser } from "../../access/grants/principal.js";
import {
  AUTHENTICATION,
  type Authenticated,
  authenticated,
  notForAuthentication,
  tokenIn,
} from "../../feathers/authentication.js";
import { isServiceMethod, type Services } from "../../feathers/services.js";
import { patch, publish } from "../session/calls.js";
import type { ClientSession } from "../session/client-session.js";
import { type Call, parseCall, type ServiceCall, type Wanted } from "./calls.js";
import { ackFrame, errorJson, eventFrame, NO_ANSWER, positionJson } from "./encoding.js";
import type { Envelope } from "./parser.js";
import { serviceCaller } from "./service-caller.js";

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

/** An event without an emitter, so that it needs no answer. */
const BY_ITSELF: Reply = { event: "subscribe", id: NO_ANSWER, ofService: false };

/** The reader of events, as its requests see it. */
export interface Requester {
  /** Reads nothing until it is known who the client is: what follows is done as that one. */
  whileAsking<Answer>(answer: () => Promise<Answer>): Promise<Answer>;
  /** This many characters of calls more, or less, have not been answered by the engine. */
  publishing(length: number): void;
}

export class Requests {
  readonly #session: ClientSession;
  readonly #services: Services;
  readonly #requester: Requester;
  /** The services that the client hears without having asked. */
  readonly #auto = new Set<ChannelName>();
  /** The services that the client named when it came, instead of all. */
  #named: ReadonlySet<string> | null = null;
  /** The channels that it would hear without having asked, and has left. */
  readonly #left = new Set<ChannelName>();

  constructor(session: ClientSession, services: Services, requester: Requester) {
    this.#session = session;
    this.#services = services;
    this.#requester = requester;
  }

  /** The channels that the client hears when it has come in: those that it named, else those that go by themselves. */
  begin(wanted: readonly Wanted[] | undefined): void {
    if (wanted) this.#named = new Set(wanted.map(({ channel }) => channel));
    this.#hearByItself();
    for (const each of wanted ?? []) this.#try(BY_ITSELF, () => this.#subscribe(each, NO_ANSWER));
  }

  /** Subscribes what the client hears without having asked, as far as it may: again when it goes on as another user. */
  #hearByItself(): void {
    const session = this.#session;
    const { connection, identity } = session;
    if (connection.ended) return;
    for (const channel of session.autoChannels()) {
      if (this.#named?.has(channel) || this.#left.has(channel)) continue;
      this.#try(BY_ITSELF, () => this.#subscribe({ channel }, NO_ANSWER));
    }
    if (this.#named) return;
    const services = this.#services;
    const { subscriptions } = connection;
    const heard = new Set(
      [...subscriptions.values()].map(({ channel }) => services.of(channel.name)?.settings.name),
    );
    for (const { settings } of services.all) {
      const { name, join } = settings;
      const isFree = !heard.has(name) && !subscriptions.has(name) && !this.#left.has(name);
      if (join !== "all" || !isFree || !identity.may("subscribe", name)) continue;
      this.#try(BY_ITSELF, () => {
        this.#subscribe({ channel: name }, NO_ANSWER);
        this.#auto.add(name);
      });
    }
  }

  take({ event, args, envelope }: Asked): void {
    const reply: Reply = {
      event,
      id: envelope.id ?? NO_ANSWER,
      ofService: isServiceMethod(event) && typeof args[0] === "string",
    };
    this.#try(reply, () => {
      const tooMuch = this.#session.countFrame();
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
        void this.#renew(reply, call.input.token);
        return;
      case "publish":
        void this.#await(reply, length, async () => {
          const at = await publish(this.#session, call.input.channel, call.input);
          return [positionJson(at.channel, at)];
        });
        return;
      case "patch":
        void this.#await(reply, length, async () => {
          const at = await patch(this.#session, call.input.channel, call.input);
          return [positionJson(at.channel, at)];
        });
        return;
      case "service":
        void this.#await(reply, length, async () => ["null", JSON.stringify(await this.#called(call))]);
    }
  }

  /** Goes on with a new token. */
  async #renew(reply: Reply, token: string): Promise<void> {
    const session = this.#session;
    try {
      await this.#requester.whileAsking(() =>
        session.renew(token, (expiry) =>
          session.connection.answer(ackFrame(reply.id, JSON.stringify(expiry))),
        ),
      );
    } catch (error) {
      this.#refuse(reply, error);
    }
  }

  async #called({ method, service, args }: ServiceCall): Promise<unknown> {
    if (service !== AUTHENTICATION) {
      return this.#services.call(method, service, args, serviceCaller(this.#session));
    }
    if (method === "create") return this.#logIn(tokenIn(args[0]));
    return method === "remove" ? this.#logOut() : notForAuthentication(method);
  }

  #logIn(token: string): Promise<Authenticated> {
    return this.#requester.whileAsking(async () => {
      const user = await this.#session.logIn(token);
      this.#hearByItself();
      return authenticated(token, user);
    });
  }

  /** @returns how the client was logged in @throws FanfareError `not_logged_in` */
  #logOut(): Omit<Authenticated, "accessToken"> {
    const session = this.#session;
    const { accessToken: _, ...before } = authenticated("", checkUser(session.identity.principal));
    session.logOut();
    this.#hearByItself();
    return before;
  }

  /** A client that names records hears those, and no longer all that goes on in the service. */
  #subscribe({ channel: text, since, state }: Wanted, answerTo: number): void {
    const session = this.#session;
    session.countSubscription();
    const channel = parseAudibleName(text);
    session.identity.allow("subscribe", channel);
    this.#separate(channel);
    this.#left.delete(channel);
    session.subscribeCounted(channel, { request: answerTo, since, state });
  }

  #unsubscribe(text: string, answerTo: number): void {
    const channel = parseAudibleName(text);
    const isGiven = this.#auto.delete(channel) || this.#session.isAuto(channel);
    this.#session.connection.unsubscribe(channel, answerTo);
    if (isGiven) this.#left.add(channel);
  }

  /** Two channels tell the changes of a record; no client may hear it twice. @throws FanfareError `already_subscribed` */
  #separate(channel: ChannelName): void {
    const service = this.#services.of(channel)?.settings.name;
    if (service === undefined) return;
    const { connection } = this.#session;
    const { subscriptions } = connection;
    if (this.#auto.delete(service)) connection.unsubscribe(service, NO_ANSWER);
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

  /** @param work answers with what the callback is called with, as JSON texts */
  async #await(reply: Reply, length: number, work: () => Promise<readonly string[]>): Promise<void> {
    this.#requester.publishing(length);
    try {
      this.#session.connection.answer(ackFrame(reply.id, ...(await work())));
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

  /** Tells the client, unless it was closed for it. */
  #refuse({ event, id, ofService }: Reply, cause: unknown): void {
    const error = this.#session.refused(cause);
    if (!error) return;
    const { connection } = this.#session;
    const json = errorJson(error);
    if (ofService && id !== NO_ANSWER) connection.answer(ackFrame(id, json));
    else if (id !== NO_ANSWER) connection.answer(ackFrame(id, `{"error":${json}}`));
    else connection.answer(eventFrame("refused", `{"event":${JSON.stringify(event)},"error":${json}}`));
  }
}
