/** The client as its users see it. */
import type { JsonObject } from "@fanfare/protocol";
import type { LocksAndSequences } from "./lock-types.js";
import type {
  ClientEvents,
  Connection,
  Gap,
  Message,
  PatchOptions,
  Position,
  PublishOptions,
  SubscribeOptions,
  Subscription,
} from "./types.js";

export interface Client extends LocksAndSequences {
  /** The connection: what it is doing, and why. */
  readonly connection: Connection;
  /** How many publishes and patches wait for a connection; always 0 without `queue`. */
  readonly queued: number;
  /**
   * The `id` of the {@link Member} that this client is where it is present; `null` before the first connection. It stays while the session
   * goes on, and for a user always.
   */
  readonly memberId: string | null;
  /**
   * Listens to a channel, and connects if there is no connection yet. Several handlers may listen to one channel; each gets
   * every message once.
   *
   * @throws ClientError `invalid_channel` when the name is no channel name, `invalid_position` when `since` is no position
   * @example client.subscribe("order:42", ({ data }) => show(data));
   */
  subscribe<Data = unknown>(
    channel: string,
    handler: (message: Message<Data>) => void,
    options?: SubscribeOptions,
  ): Subscription;
  /**
   * The same as a sequence, which begins with this call. Gaps are part of it; look at `type`. It ends with `close()`, after what has
   * arrived. It throws when the server refuses, or closes the connection for good.
   *
   * @example for await (const item of client.messages("order:42")) if (item.type === "message") show(item.data);
   */
  messages<Data = unknown>(
    channel: string,
    options?: Pick<SubscribeOptions, "since">,
  ): AsyncIterableIterator<Message<Data> | Gap>;
  /**
   * Publishes, where the server allows it; answers with the position of the message.
   *
   * @throws ClientError with the server's code, `invalid_channel`, `invalid_value` or `not_connected`; with a queue also `expired` and
   * `queue_full`
   * @example await client.publish("chat:7", { text: "hello" }, { event: "said" });
   */
  publish(channel: string, data: unknown, options?: PublishOptions): Promise<Position>;
  /**
   * Changes members of a channel's state by a JSON Merge Patch (RFC 7396), where the server allows it; answers with the new version.
   *
   * @param patch the members to change; `null` removes one
   * @throws ClientError as {@link publish}; `version_mismatch` when somebody else was faster
   * @example await client.patch("job:7", { done: 42 });
   */
  patch(channel: string, patch: JsonObject, options?: PatchOptions): Promise<Position>;
  /** Listens to what the client tells; what it answers with ends that. @throws ClientError `invalid_request` when there is no such event */
  on<Name extends keyof ClientEvents>(event: Name, listener: (value: ClientEvents[Name]) => void): () => void;
  /** Connects now: at first, instead of waiting for the next try, or after `close`. */
  connect(): void;
  /** Closes the connection and stays closed until `connect`; subscriptions go on from where they are then. */
  close(): void;
}
