/** Publishing: checks messages, one or many, has them admitted where channels are typed, and appends them in order. */
import type { ChannelName } from "@fanfare/protocol";
import type { Appended, Draft, Engine, Retention } from "../engine/engine.js";
import { Admission, type PayloadChecks } from "./admission.js";
import type { Counters } from "./counters.js";
import { type MessageInput, toDraft } from "./draft.js";
import type { Limits } from "./limits.js";
import type { Rules } from "./rules.js";

/** A message that has been checked, and can be appended. */
export interface Prepared {
  readonly channel: ChannelName;
  readonly draft: Draft;
  readonly retention: Retention;
}

/** What became of one message of many: it stands there, or was not appended. */
export type BatchResult =
  | { readonly channel: ChannelName; readonly position: Appended }
  | { readonly channel: ChannelName; readonly error: unknown };

/** What publishing needs of the hub. */
export interface PublishingHost {
  readonly engine: Engine;
  readonly rules: Rules;
  readonly limits: Limits;
  readonly counters: Counters;
}

export class Publishing {
  readonly #host: PublishingHost;
  readonly #admission: Admission | null;

  constructor(host: PublishingHost, checks?: PayloadChecks) {
    this.#host = host;
    this.#admission = checks ? new Admission(checks) : null;
  }

  /**
   * Appends a message to a channel's log; it is on its way to every subscription.
   *
   * @throws FanfareError `invalid_value`, `invalid_request`, `invalid_data`, `too_large`, `key_reused`, `too_many_channels`,
   * `insufficient_storage`, `unavailable`
   */
  async publish(channel: ChannelName, input: MessageInput): Promise<Appended> {
    const prepared = this.prepare(channel, input);
    const admitted = this.#admission?.admit([prepared]);
    if (admitted) await admitted;
    return this.#append(prepared);
  }

  /** Checks a message, and appends nothing. @throws FanfareError `invalid_value`, `invalid_request`, `too_large` */
  prepare(channel: ChannelName, input: MessageInput): Prepared {
    return this.#prepared(channel, toDraft(input, this.#host.limits.messageBytes));
  }

  /** The same for a message to many channels, which becomes JSON once. @throws FanfareError as {@link prepare} */
  prepareForAll(channels: readonly ChannelName[], input: MessageInput): Prepared[] {
    const draft = toDraft(input, this.#host.limits.messageBytes);
    return channels.map((channel) => this.#prepared(channel, draft));
  }

  /**
   * Appends messages in order, to whatever channels, or none of them when one is not what its channel carries. What the engine
   * refuses does not stop the others.
   *
   * @param naming says in an error which of the messages it is about
   * @throws FanfareError `invalid_data`; refused with `key_reused`, `too_many_channels`, `insufficient_storage`, `unavailable`
   */
  async appendAll(
    prepared: readonly Prepared[],
    naming: (error: unknown, index: number) => unknown,
  ): Promise<BatchResult[]> {
    const admitted = this.#admission?.admit(prepared, naming);
    if (admitted) await admitted;
    const append = (each: Prepared): Promise<BatchResult> =>
      this.#append(each).then(
        (position) => ({ channel: each.channel, position }),
        (error: unknown) => ({ channel: each.channel, error }),
      );
    // None is waited for before the next is appended; the engine keeps the order of calls.
    return Promise.all(prepared.map(append));
  }

  #prepared(channel: ChannelName, draft: Draft): Prepared {
    return { channel, draft, retention: this.#host.rules.of(channel).retention };
  }

  async #append({ channel, draft, retention }: Prepared): Promise<Appended> {
    const appended = await this.#host.engine.append(channel, draft, retention);
    if (!appended.repeated) this.#host.counters.appended(Buffer.byteLength(draft.json));
    return appended;
  }
}
