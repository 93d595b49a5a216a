/**
 * Changes the records of a service, and tells of it: each change is a state, and a message to two channels. Knows no access and no
 * queries.
 */
import { applyMergePatch, type ChannelName, FanfareError, type JsonObject } from "@fanfare/protocol";
import type { Hub } from "../hub/hub.js";
import type { Prepared } from "../hub/publishing.js";
import { isMismatch } from "../hub/state-changes.js";
import { InOrder } from "../hub/terms/in-order.js";
import type { Permit } from "../hub/terms/permit.js";
import type { RecordIndex } from "./record-index.js";
import { type Records, recordOf } from "./records.js";
import type { ServiceSettings } from "./service-options.js";

/** The event of each method that changes something. */
const EVENTS = { create: "created", update: "updated", patch: "patched", remove: "removed" } as const;
type Method = keyof typeof EVENTS;

/** Makes the changed record; `null` removes it. */
export type Change = (record: JsonObject) => JsonObject | null;

export interface Wanted {
  readonly method: Method;
  readonly id: string;
  readonly channel: ChannelName;
  readonly change: Change;
  /** Only a record like this is changed. */
  matches(record: JsonObject): boolean;
  /** The user who is named with the event; `null` is the server. */
  readonly by: Author | null;
}

export interface Author {
  readonly user: string | undefined;
  /** The caller whose events stay in order. */
  readonly principal: string;
  /** The owner of the record and its channel, if this change makes them. */
  readonly owner: string | undefined;
  /** Asked before anything is changed. */
  readonly permit: Permit;
}

/** A change is worked out anew at most this often when others, on other nodes or by the state itself, were faster. */
const MAX_TRIES = 10;
const ID_BYTES = 16;

export class RecordChanges {
  readonly #settings: ServiceSettings;
  readonly #hub: Hub;
  readonly #index: RecordIndex;
  readonly #records: Records;
  readonly #inOrder = new InOrder<ChannelName>();

  constructor(settings: ServiceSettings, hub: Hub, index: RecordIndex, records: Records) {
    this.#settings = settings;
    this.#hub = hub;
    this.#index = index;
    this.#records = records;
  }

  /** Makes a record, with an id where it has none. @throws FanfareError `version_mismatch` when there is one with this id */
  create(given: JsonObject, by: Author): Promise<JsonObject> {
    const id = given.id ?? Buffer.from(this.#hub.random.bytes(ID_BYTES)).toString("base64url");
    const channel = this.#records.channelOf(id);
    const record = applyMergePatch(null, { ...given, id });
    return this.#inOrder.run(channel, async () => {
      const messages = this.#messages("create", channel, record, by);
      if ((await this.#hub.state(channel)) !== null) throw exists(channel);
      // The record comes first: one that is refused may not push others out of the index.
      await this.#set(channel, record, by);
      const dropped = await this.#index.add(String(id));
      await this.#append(messages);
      for (const old of dropped) await this.#drop(old);
      return record;
    });
  }

  /** A service that keeps no records: the event is all there is. */
  async tell(data: JsonObject, by: Author): Promise<void> {
    const channel = data.id === undefined ? null : this.#records.channelOf(data.id);
    await this.#append(this.#messages("create", channel, data, by), by.permit);
  }

  /** Changes a record as it is then. @returns the record after that, or the one that is gone @throws FanfareError `not_found` */
  apply(wanted: Wanted): Promise<JsonObject> {
    return this.#inOrder.run(wanted.channel, () => this.#apply(wanted));
  }

  async #apply({ method, id, channel, change, matches, by }: Wanted): Promise<JsonObject> {
    for (let tries = 1; ; tries++) {
      const present = await this.#hub.state(channel);
      const before = present?.json ? recordOf(id, present.json) : null;
      if (!before || !matches(before)) throw this.notFound(channel);
      const after = change(before);
      // Checks the messages before it changes anything.
      const messages = this.#messages(method, channel, after ?? before, by);
      try {
        await this.#hub.changeState(channel, {
          value: after,
          ifVersion: present,
          principal: by?.principal,
          owner: by?.owner,
          permit: by?.permit,
        });
      } catch (error) {
        if (isMismatch(error) && tries < MAX_TRIES) continue;
        throw error;
      }
      if (!after) await this.#index.remove(id);
      await this.#append(messages);
      return after ?? before;
    }
  }

  notFound(channel: ChannelName): FanfareError {
    const { name, records } = this.#settings;
    return new FanfareError("not_found", `there is no record ${channel}`, {
      remedy: `Compare the id and the query. ${name} keeps its newest ${records} records.`,
    });
  }

  /** There are too many: the oldest goes, as if somebody had removed it. */
  async #drop(id: string): Promise<void> {
    const channel = this.#records.channelOf(id);
    const wanted = {
      method: "remove",
      id,
      channel,
      change: () => null,
      matches: () => true,
      by: null,
    } as const;
    try {
      await this.apply(wanted);
    } catch (error) {
      // Somebody has removed it meanwhile.
      if (!(error instanceof FanfareError && error.code === "not_found")) throw error;
    }
  }

  async #set(channel: ChannelName, record: JsonObject, { principal, owner, permit }: Author): Promise<void> {
    try {
      await this.#hub.changeState(channel, { value: record, ifVersion: null, principal, owner, permit });
    } catch (error) {
      throw isMismatch(error) ? exists(channel) : error;
    }
  }

  /** @throws FanfareError `too_large`, `invalid_value` */
  #messages(method: Method, channel: ChannelName | null, data: JsonObject, by: Author | null): Prepared[] {
    const { name } = this.#settings;
    const author = by && { user: by.user, principal: by.principal, permit: by.permit };
    const message = { event: EVENTS[method], data, ...author };
    const all = this.#hub.publishing.prepareForAll(channel ? [name, channel] : [name], message);
    if (by?.owner === undefined) return all;
    // The channel of the service has no owner, so it does not count for its first speaker.
    const { owner } = by;
    return all.map((each) => (each.channel === name ? each : { ...each, draft: { ...each.draft, owner } }));
  }

  /** @param permit where nothing has been changed before */
  async #append(messages: readonly Prepared[], permit?: Permit): Promise<void> {
    const results = await this.#hub.publishing.appendAll(messages, (error) => error, permit);
    for (const result of results) if ("error" in result) throw result.error;
  }
}

function exists(channel: ChannelName): FanfareError {
  return new FanfareError("version_mismatch", `there is a record ${channel} already`, {
    remedy: "Update or patch it, or create one with another id.",
  });
}
