/** Publishing: checks messages, one or many, has them checked where channels are typed, and appends them in order. */
import type { ChannelName } from "@fanfare/protocol";
import type { Slices } from "../base/slices.js";
import type { Appended, Draft, Engine, Retention } from "../engine/engine.js";
import type { Counters } from "./terms/counters.js";
import { type MessageInput, toDraft } from "./terms/draft.js";
import type { Limits } from "./terms/limits.js";
import type { MemoryGuard } from "./terms/memory-guard.js";
import { MessageChecks, type PayloadChecks } from "./terms/payload-checks.js";
import type { Permit } from "./terms/permit.js";
import type { Rules } from "./terms/rules.js";

/** A message that has been checked, and can be appended. */
export interface Prepared {
  readonly channel: ChannelName;
  readonly draft: Draft;
  /** The caller whose messages stay in order. */
  readonly publisher: string;
  readonly retention: Retention;
  /** Bytes of `draft.json` in UTF-8. */
  readonly bytes: number;
}

/** The fate of one message of many: its position, or why it was not appended. */
export type BatchResult =
  | { readonly channel: ChannelName; readonly position: Appended }
  | { readonly channel: ChannelName; readonly error: unknown };

/** The parts of the hub that publishing needs. */
export interface PublishingHost {
  readonly engine: Engine;
  readonly rules: Rules;
  readonly limits: Limits;
  readonly counters: Counters;
  readonly memory: MemoryGuard;
  readonly slices: Slices;
}

export class Publishing {
  readonly #host: PublishingHost;
  readonly #messageChecks: MessageChecks | null;

  constructor(host: PublishingHost, checks?: PayloadChecks) {
    this.#host = host;
    this.#messageChecks = checks ? new MessageChecks(checks) : null;
  }

  /**
   * Appends a message to a channel's log; it is on its way to every subscription.
   *
   * @throws FanfareError `invalid_value`, `invalid_request`, `invalid_data`, `too_large`, `id_reused`, `too_many_channels`,
   * `insufficient_storage`, `unavailable`
   */
  async publish(channel: ChannelName, input: MessageInput): Promise<Appended> {
    const prepared = this.prepare(channel, input);
    const checked = this.#messageChecks?.check([prepared]);
    if (checked) {
      await checked;
      input.permit?.check();
    }
    return this.#append(prepared);
  }

  /** Checks a message, and appends nothing. @throws FanfareError `invalid_value`, `invalid_request`, `too_large` */
  prepare(channel: ChannelName, input: MessageInput): Prepared {
    return this.#prepared(channel, toDraft(input, this.#host.limits.messageBytes), input);
  }

  /** The same for a message to many channels, which becomes JSON once. @throws FanfareError as {@link prepare} */
  prepareForAll(channels: readonly ChannelName[], input: MessageInput): Prepared[] {
    const draft = toDraft(input, this.#host.limits.messageBytes);
    const bytes = Buffer.byteLength(draft.json);
    return channels.map((channel) => this.#prepared(channel, draft, input, bytes));
  }

  /**
   * Appends messages in order, to whatever channels, or none of them when one is not what its channel carries. A message that the engine refuses does not stop the others. Where it takes long, messages of others come between.
   *
   * @param naming says in an error which of the messages it is about
   * @param permit is asked before they are appended, where something had to be waited for, and before each of them
   * @throws FanfareError `invalid_data`; refused with `id_reused`, `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  async appendAll(
    prepared: readonly Prepared[],
    naming: (error: unknown, index: number) => unknown,
    permit?: Permit,
  ): Promise<BatchResult[]> {
    const checked = this.#messageChecks?.check(prepared, naming);
    if (checked) {
      await checked;
      permit?.check();
    }
    const appended: Promise<BatchResult>[] = [];
    // None is waited for before the next is appended; the engine keeps the order of calls.
    const append = (each: Prepared): void => {
      const { channel } = each;
      appended.push(
        this.#append(each, permit).then(
          (position) => ({ channel, position }),
          (error: unknown) => ({ channel, error }),
        ),
      );
    };
    // What the application publishes after its own batch must not come between; others may wait for a caller's.
    if (permit) await this.#host.slices.each(prepared, append);
    else for (const each of prepared) append(each);
    return await Promise.all(appended);
  }

  #prepared(
    channel: ChannelName,
    draft: Draft,
    { permit, principal: publisher = "server" }: MessageInput,
    bytes = Buffer.byteLength(draft.json),
  ): Prepared {
    permit?.hasWritten?.(draft.json.length);
    return { channel, draft, publisher, retention: this.#host.rules.of(channel).retention, bytes };
  }

  async #append({ channel, draft, retention, bytes }: Prepared, permit?: Permit): Promise<Appended> {
    permit?.check();
    this.#host.memory.assertRoomToPublish();
    const appended = await this.#host.engine.logs.append(channel, draft, retention);
    if (!appended.repeated) this.#host.counters.appended(bytes);
    return appended;
  }
}
