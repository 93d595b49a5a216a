/**
 * What a page sends to channels: checked, with an idempotency key, and sent at once, or kept until there is a connection where the
 * page wants that.
 */
import type { JsonObject, OkFrame } from "@fanfare/protocol";
import { checkChannel, checkJson, checkPosition } from "./checks.js";
import { ClientError } from "./client-error.js";
import { randomKey } from "./environment.js";
import { checkOptions, QUEUE } from "./names.js";
import { Outbox, type OutboxHost } from "./outbox.js";
import { positionOf } from "./requests.js";
import type { Connection, PatchOptions, Position, PublishOptions, QueueOptions } from "./types.js";

export interface PublisherHost extends OutboxHost {
  readonly connection: Connection;
  readonly isConnected: boolean;
  /** Resolves when the first try to connect is over. */
  whenConnected(): Promise<void>;
  /** Connects, unless the client connects already. */
  start(): void;
}

export class Publisher {
  readonly #host: PublisherHost;
  readonly #outbox: Outbox | null;

  /** @throws ClientError `invalid_options` */
  constructor(host: PublisherHost, queue: boolean | QueueOptions = false) {
    this.#host = host;
    if (typeof queue !== "boolean") checkOptions(queue, QUEUE, "queue is");
    this.#outbox = queue ? new Outbox(host, queue === true ? {} : queue) : null;
  }

  get waiting(): number {
    return this.#outbox?.waiting ?? 0;
  }

  async publish(channel: string, data: unknown, { event, id }: PublishOptions = {}): Promise<Position> {
    checkJson("data", data);
    return this.#append({ type: "publish", channel, data, event, id });
  }

  async patch(channel: string, patch: JsonObject, { ifVersion, id }: PatchOptions = {}): Promise<Position> {
    checkJson("patch", patch);
    checkPosition(ifVersion);
    return this.#append({ type: "patch", channel, patch, ifVersion, id });
  }

  connected(resumed: boolean): void {
    this.#outbox?.connected(resumed);
  }

  disconnected(): void {
    this.#outbox?.disconnected();
  }

  closed(reason: string, remedy: string): void {
    this.#outbox?.closed(reason, remedy);
  }

  async #append(frame: Appending): Promise<Position> {
    checkChannel(frame.channel);
    // As it is now: what is sent again has to be the same.
    const text = JSON.stringify({ ...frame, id: frame.id ?? randomKey() });
    if (this.#outbox) return positionOf(await this.#keep(this.#outbox, text));
    // The first connection is waited for: a page that publishes as it loads has not lost one.
    if (!this.#host.isConnected) await this.#host.whenConnected();
    return positionOf(await this.#host.ask(text));
  }

  #keep(outbox: Outbox, frame: string): Promise<OkFrame> {
    const { connection } = this.#host;
    if (connection.status === "closed")
      throw new ClientError("not_connected", connection.reason, connection.remedy);
    this.#host.start();
    return outbox.add(frame);
  }
}

/** A frame that has no number yet. */
interface Appending {
  readonly type: "publish" | "patch";
  readonly channel: string;
  readonly id: string | undefined;
  readonly [field: string]: unknown;
}
