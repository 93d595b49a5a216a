/** The widget Fanfare Simple without React: hands each message on as text. */
import type { Message, StateChange } from "@fanfare/client";
import type { FanfareSimpleContainerProps } from "../typings/FanfareSimpleProps.js";
import { Action } from "./action.js";
import type { Connections } from "./connection/connections.js";
import { channelOfName, serverOf, UNKNOWN } from "./connection/settings.js";
import { type Status, Subscriber, type SubscriberHost } from "./connection/subscriber.js";
import { STATE_EVENT } from "./fanfare-widget.js";
import { Attributes, slot } from "./message/attributes.js";
import { toText } from "./message/convert.js";
import { Warnings } from "./warnings.js";

const KEY = "Message";

export class FanfareSimpleWidget implements SubscriberHost {
  /** Told what the connection is doing. */
  onStatus: (status: Status) => void = () => {};
  readonly followsPresence = false;
  readonly #warnings: Warnings;
  readonly #subscriber: Subscriber;
  readonly #attributes: Attributes;
  readonly #onMessage: Action<{ message: string | undefined; event: string | undefined }>;
  #channel: string | null = null;

  /** @param name of the widget in Studio Pro */
  constructor(name: string, connections: Connections) {
    this.#warnings = new Warnings(name);
    this.#subscriber = new Subscriber(connections, this);
    this.#attributes = new Attributes(this.#warnings);
    this.#onMessage = new Action("On message", this.#warnings);
  }

  /** The props as they are now. */
  update(props: FanfareSimpleContainerProps): void {
    const server = serverOf(props, this.#warnings);
    const channel = channelOfName(props.subscriptionId);
    const isKnown = server !== UNKNOWN && channel !== UNKNOWN;
    if (isKnown && channel !== this.#channel) this.#clear();
    this.#attributes.update(props.message ? [slot(KEY, props.message, toText)] : []);
    this.#onMessage.update(props.onMessage);
    if (!isKnown) return;
    this.#channel = channel;
    this.#subscriber.update(server, channel);
  }

  /** The page is left. */
  stop(): void {
    this.#subscriber.stop();
    this.#clear();
    this.#channel = null;
  }

  // ---- what the subscriber tells

  message({ event, data }: Message): void {
    this.#received(event, data);
  }

  state({ state }: StateChange): void {
    this.#received(STATE_EVENT, state);
  }

  presence(): void {}

  subscribed(): void {}

  missed(): void {
    this.#warnings.once(
      `Messages of ${this.#channel} are missing. Where that matters, use the widget Fanfare.`,
    );
  }

  lost(): void {}

  refused(code: string, reason: string): void {
    this.#warnings.once(`${this.#channel} is not heard (${code}): ${reason}`);
  }

  status(status: Status): void {
    this.onStatus(status);
  }

  #received(event: string, data: unknown): void {
    this.#attributes.set({ [KEY]: data });
    this.#onMessage.run({ message: toText(data)?.value, event });
  }

  #clear(): void {
    this.#attributes.clear();
    this.#onMessage.clear();
  }
}
