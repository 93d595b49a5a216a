/** The widget Fanfare without React: what it does with its props, and with what comes. */
import type { Gap, Member, Message, PresenceChange, StateChange } from "@fanfare/client";
import { Big } from "big.js";
import type { FanfareContainerProps, HandlersType } from "../typings/FanfareProps.js";
import { Action, NOTHING, plain } from "./action.js";
import type { Connections } from "./connection/connections.js";
import { channelOfName, channelOfObject, serverOf, UNKNOWN } from "./connection/settings.js";
import { type Status, Subscriber, type SubscriberHost } from "./connection/subscriber.js";
import { Attributes, type Slot, slot } from "./message/attributes.js";
import { convertFor, toBoolean, toDate, toNumber, toText } from "./message/convert.js";
import { Warnings } from "./warnings.js";

/** The event that an action is told for a change of the state. */
export const STATE_EVENT = "$state";

/** Names of the presence attributes, for warnings. */
const COUNT = "How many are here";
const USERS = "Who is here";

/** The variables of an action that runs for a message. */
interface MessageVariables {
  event: string | undefined;
  payload: string | undefined;
  offset: Big | undefined;
}

/** The variables of an action that runs when users come or leave. */
interface PresenceVariables {
  count: Big | undefined;
  joined: string | undefined;
  left: string | undefined;
}

/** An action for messages of one kind. */
interface Handler {
  event: string;
  readonly action: Action<MessageVariables>;
}

export class FanfareWidget implements SubscriberHost {
  /** Told what the connection is doing. */
  onStatus: (status: Status) => void = () => {};
  followsPresence = false;
  readonly #warnings: Warnings;
  readonly #subscriber: Subscriber;
  readonly #attributes: Attributes;
  /** Those that say who is here, which no message sets. */
  readonly #present: Attributes;
  readonly #onReceive: Action<MessageVariables>;
  readonly #onPresence: Action<PresenceVariables>;
  readonly #onSubscribed: Action<object>;
  readonly #onMissed: Action<{ reason: string | undefined }>;
  readonly #onLost: Action<{ reason: string | undefined }>;
  readonly #onRefused: Action<{ code: string | undefined; reason: string | undefined }>;
  readonly #handlers: Handler[] = [];
  #channel: string | null = null;
  #leave: FanfareContainerProps["onLeave"];

  /** @param name of the widget in Studio Pro */
  constructor(name: string, connections: Connections) {
    this.#warnings = new Warnings(name);
    this.#subscriber = new Subscriber(connections, this);
    this.#attributes = new Attributes(this.#warnings);
    this.#present = new Attributes(this.#warnings);
    this.#onReceive = new Action("On receive update", this.#warnings);
    this.#onPresence = new Action("On presence", this.#warnings);
    this.#onSubscribed = new Action("On subscribed", this.#warnings);
    this.#onMissed = new Action("On missed messages", this.#warnings);
    this.#onLost = new Action("On connection lost", this.#warnings);
    this.#onRefused = new Action("On refused", this.#warnings);
  }

  /** The props as they are now. */
  update(props: FanfareContainerProps): void {
    const server = serverOf(props, this.#warnings);
    const channel =
      props.channelBy === "object"
        ? channelOfObject(props.messageObject, props.objectPrefix)
        : channelOfName(props.channelName);
    const isKnown = server !== UNKNOWN && channel !== UNKNOWN;
    // Waiting values were meant for the previous object.
    if (isKnown && channel !== this.#channel) this.#clear();
    this.#attributes.update(slots(props));
    this.#present.update(presenceSlots(props));
    this.#updateActions(props);
    this.followsPresence = [props.present, props.presentUsers, props.onPresence].some((each) => each);
    if (!isKnown) return;
    this.#channel = channel;
    this.#subscriber.update(server, channel);
  }

  /** The page is left. */
  stop(): void {
    this.#subscriber.stop();
    this.#clear();
    this.#channel = null;
    if (this.#leave?.canExecute) this.#leave.execute();
    this.#leave = undefined;
  }

  // ---- what the subscriber tells

  message({ event, data, offset }: Message): void {
    this.#attributes.set(data);
    this.#received({ event, payload: JSON.stringify(data), offset: new Big(offset) });
  }

  state({ state, patch }: StateChange): void {
    const changed = patch ?? state;
    this.#attributes.set(changed);
    this.#received({ event: STATE_EVENT, payload: JSON.stringify(changed), offset: undefined });
  }

  presence({ count, members, joined, left }: PresenceChange): void {
    // Where there are too many, their names are not known.
    this.#present.set({ [COUNT]: count, [USERS]: members && namesOf(members) });
    this.#onPresence.run({ count: new Big(count), joined: namesOf(joined), left: namesOf(left) });
  }

  subscribed(): void {
    this.#onSubscribed.run(NOTHING);
  }

  missed({ reason }: Gap): void {
    this.#onMissed.run({ reason });
  }

  lost(reason: string): void {
    this.#onLost.run({ reason });
  }

  refused(code: string, reason: string): void {
    this.#warnings.once(`${this.#channel ?? "The server"} is not heard (${code}): ${reason}`);
    this.#onRefused.run({ code, reason });
  }

  status(status: Status): void {
    this.onStatus(status);
  }

  #received(variables: MessageVariables): void {
    for (const { event, action } of this.#handlers) if (event === variables.event) action.run(variables);
    this.#onReceive.run(variables);
  }

  #updateActions(props: FanfareContainerProps): void {
    this.#onReceive.update(props.onReceive);
    this.#onPresence.update(props.onPresence);
    this.#onSubscribed.update(plain(props.onSubscribed));
    this.#onMissed.update(props.onMissed);
    this.#onLost.update(props.onLost);
    this.#onRefused.update(props.onRefused);
    this.#leave = props.onLeave;
    props.handlers.forEach((handler, index) => {
      this.#handlers[index] ??= this.#handler(handler);
      this.#handlers[index].event = handler.event;
      this.#handlers[index].action.update(handler.action);
    });
  }

  #handler({ event }: HandlersType): Handler {
    return { event, action: new Action(`The handler of ${event}`, this.#warnings) };
  }

  #clear(): void {
    this.#attributes.clear();
    this.#present.clear();
    for (const action of [this.#onReceive, this.#onSubscribed, this.#onMissed]) action.clear();
    for (const action of [this.#onPresence, this.#onLost]) action.clear();
    this.#onRefused.clear();
    for (const { action } of this.#handlers) action.clear();
  }
}

function slots(props: FanfareContainerProps): Slot[] {
  const { text1, text2, text3, progress, busy, value, datetime, attributes } = props;
  const all = [
    text1 && slot("Text1", text1, toText),
    text2 && slot("Text2", text2, toText),
    text3 && slot("Text3", text3, toText),
    progress && slot("Progress", progress, toNumber),
    busy && slot("Busy", busy, toBoolean),
    value && slot("Value", value, toNumber),
    datetime && slot("Datetime", datetime, toDate),
    ...attributes.map(({ key, attribute }) => slot(key, attribute, convertFor(attribute))),
  ];
  return all.filter((each) => each !== undefined);
}

function presenceSlots({ present, presentUsers }: FanfareContainerProps): Slot[] {
  const all = [present && slot(COUNT, present, toNumber), presentUsers && slot(USERS, presentUsers, toText)];
  return all.filter((each) => each !== undefined);
}

/** Users by name; a session without a user has none. */
function namesOf(members: readonly Member[]): string {
  return members.flatMap(({ user }) => user ?? []).join(", ");
}
