/**
 * What a page sends to channels: checked, with an idempotency key, and sent at once, or kept until there is a connection where the
 * page wants that.
 */
import type { OkFrame } from "@fanfare/protocol";
import { checkChannel, checkPosition } from "./checks.js";
import { randomKey } from "./environment.js";
import { checkNames, QUEUE } from "./names.js";
import { Outbox, type OutboxHost } from "./outbox.js";
import { positionOf } from "./requests.js";
import {
  ClientError,
  type ConnectionState,
  type JsonObject,
  type PatchOptions,
  type Position,
  type PublishOptions,
  type QueueOptions,
} from "./types.js";

export interface PublisherHost extends OutboxHost {
  readonly state: ConnectionState;
  /** Connects, where nobody has asked for that yet. */
  start(): void;
}

export class Publisher {
  readonly #host: PublisherHost;
  readonly #outbox: Outbox | null;

  /** @throws ClientError `invalid_options` */
  constructor(host: PublisherHost, queue: boolean | QueueOptions = false) {
    this.#host = host;
    const options = queue === true ? {} : queue;
    if (options) checkNames(options, QUEUE);
    this.#outbox = options ? new Outbox(host, options) : null;
  }

  get waiting(): number {
    return this.#outbox?.waiting ?? 0;
  }

  async publish(channel: string, data: unknown, { event, key }: PublishOptions = {}): Promise<Position> {
    checkJson("data", data);
    return this.#append({ type: "publish", channel, data, event, key });
  }

  async patch(channel: string, patch: JsonObject, { ifVersion, key }: PatchOptions = {}): Promise<Position> {
    checkJson("patch", patch);
    checkPosition(ifVersion ?? undefined);
    return this.#append({ type: "patch", channel, patch, ifVersion, key });
  }

  connected(resumed: boolean): void {
    this.#outbox?.connected(resumed);
  }

  disconnected(): void {
    this.#outbox?.disconnected();
  }

  closed(why: string, remedy: string): void {
    this.#outbox?.closed(why, remedy);
  }

  async #append(frame: Appending): Promise<Position> {
    checkChannel(frame.channel);
    // As it is now: what is sent again has to be the same.
    const text = JSON.stringify({ ...frame, key: frame.key ?? randomKey() });
    return positionOf(await (this.#outbox ? this.#keep(this.#outbox, text) : this.#host.ask(text)));
  }

  #keep(outbox: Outbox, frame: string): Promise<OkFrame> {
    const { state } = this.#host;
    if (state.status === "closed") throw new ClientError("not_connected", state.why, state.remedy);
    this.#host.start();
    return outbox.add(frame);
  }
}

/** A frame that has no number yet. */
interface Appending {
  readonly type: "publish" | "patch";
  readonly channel: string;
  readonly key: string | undefined;
  readonly [field: string]: unknown;
}

/** What is no JSON throws by itself; what JSON leaves out, the server would close the connection for. */
function checkJson(name: string, value: unknown): void {
  if (JSON.stringify(value) !== undefined) return;
  throw new ClientError("invalid_value", `${name} is nothing that JSON has`, "Send JSON values only.");
}
