/** A client without a server: a test says what the server does. */
import {
  ClientError,
  type Connection,
  type Message,
  type PresenceChange,
  type StateChange,
  type SubscribeOptions,
} from "@fanfare/client";
import type { WidgetClient } from "../connection/connections.js";

const EPOCH = "00000000000000a1";

interface Handler {
  readonly channel: string;
  readonly onMessage: (message: Message) => void;
  readonly options: SubscribeOptions;
}

export class FakeClient implements WidgetClient {
  connection: Connection = { status: "idle" };
  readonly #handlers = new Set<Handler>();
  readonly #watchers = new Set<(connection: Connection) => void>();
  #offset = 0;
  connects = 0;

  // ---- what widgets call

  readonly subscribe: WidgetClient["subscribe"] = (channel, onMessage, options) => {
    if (channel.includes(" "))
      throw new ClientError("invalid_channel", `"${channel}" is no channel`, "Mend it.");
    const handler: Handler = { channel, onMessage, options };
    this.#handlers.add(handler);
    return { unsubscribe: () => void this.#handlers.delete(handler) };
  };

  readonly on: WidgetClient["on"] = (event, listener) => {
    if (event !== "connection") return () => {};
    const watcher = listener as (connection: Connection) => void;
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  };

  connect(): void {
    this.connects++;
    this.is({ status: "connecting" });
  }

  close(): void {
    this.is({ status: "closed", code: null, reason: "The page closed it.", remedy: "Connect." });
  }

  // ---- what the server does

  /** The channels that are listened to. */
  get channels(): string[] {
    return [...this.#handlers].map(({ channel }) => channel);
  }

  is(connection: Connection): void {
    this.connection = connection;
    for (const watcher of [...this.#watchers]) watcher(connection);
  }

  lose(): void {
    this.is({ status: "reconnecting", reason: "The connection was lost.", attempt: 1, retryAt: 0 });
  }

  subscribed(recovered = false): void {
    this.is({ status: "connected", id: "c1", resumed: recovered, transport: "websocket" });
    for (const { channel, options } of [...this.#handlers]) {
      const position = { epoch: EPOCH, offset: this.#offset };
      options.onSubscribed?.({ channel, position, recovered, reason: null });
    }
  }

  publish(channel: string, data: unknown, event = "message"): void {
    const message: Message = { type: "message", channel, offset: ++this.#offset, time: 0, event, data };
    for (const handler of this.#of(channel)) handler.onMessage(message);
  }

  change(channel: string, change: Omit<StateChange, "channel">): void {
    for (const { options } of this.#of(channel)) options.onState?.({ channel, ...change });
  }

  /** Says who is there; answers with how many have asked. */
  present(channel: string, presence: Omit<PresenceChange, "channel">): number {
    const asked = this.#of(channel).flatMap(({ options }) => options.onPresence ?? []);
    for (const onPresence of asked) onPresence({ channel, ...presence });
    return asked.length;
  }

  gap(channel: string, reason: "evicted" | "conflated"): void {
    for (const { options } of this.#of(channel))
      options.onGap?.({ type: "gap", channel, reason, from: 1, to: 2 });
  }

  refuse(channel: string): void {
    for (const { options } of this.#of(channel)) {
      options.onError?.(
        new ClientError("forbidden", `you may not subscribe ${channel}`, "Ask for the grant."),
      );
    }
  }

  #of(channel: string): Handler[] {
    return [...this.#handlers].filter((handler) => handler.channel === channel);
  }
}
