/**
 * A Feathers service on channels: a record is the state of the channel `<service>:<id>`, and what happens to it is published
 * there and on the channel `<service>`. Knows nothing of Socket.IO and of HTTP.
 */
import {
  applyMergePatch,
  type ChannelName,
  FanfareError,
  findValueProblem,
  isChannelName,
  isJsonObject,
  type JsonObject,
  parseChannelName,
  quote,
} from "@fanfare/protocol";
import type { Action } from "../access/actions.js";
import type { Hub } from "../hub/hub.js";
import { InOrder } from "../hub/in-order.js";
import type { Prepared } from "../hub/publishing.js";
import { VersionMismatchError } from "../hub/state-changes.js";
import { type Found, FoundPage } from "./found.js";
import { checkNoQuery, parseQuery } from "./query.js";
import { RecordIndex } from "./record-index.js";
import type { ServiceSettings } from "./service-options.js";

/** Who calls, and what he may do. */
export interface ServiceCaller {
  /** How the hub knows him. */
  readonly publisher: { readonly user: string | undefined; readonly principal: string };
  /** Did the query come as text, as in an address? */
  readonly texts: boolean;
  /** @throws FanfareError `forbidden`, `not_logged_in`, `rate_limited` */
  allow(action: Action, channel: ChannelName): void;
  may(action: Action, channel: ChannelName): boolean;
}

/** What is told of each method that changes something. */
const EVENTS = { create: "created", update: "updated", patch: "patched", remove: "removed" } as const;
type Method = keyof typeof EVENTS;

/** What becomes of a record; `null`: it goes. */
type Change = (record: JsonObject) => JsonObject | null;

/** So often is a change worked out anew when others, on other nodes or by the state itself, were faster. */
const MAX_TRIES = 10;
/** So many states are read at once. */
const READ_AT_ONCE = 100;
const ID_BYTES = 16;

export class Service {
  readonly settings: ServiceSettings;
  readonly #hub: Hub;
  readonly #index: RecordIndex;
  readonly #inOrder = new InOrder<ChannelName>();

  constructor(settings: ServiceSettings, hub: Hub) {
    this.settings = settings;
    this.#hub = hub;
    this.#index = new RecordIndex(hub, settings.name, settings.records);
  }

  async find(query: unknown, caller: ServiceCaller): Promise<Found> {
    const { name } = this.settings;
    caller.allow("history", name);
    this.#checkKept("find");
    const { limit, skip, matches } = parseQuery(query, caller.texts);
    const ids = (await this.#index.ids()).filter((id) => caller.may("history", this.#channelOf(id)));
    const page = new FoundPage(limit, skip);
    for (let start = 0; start < ids.length; start += READ_AT_ONCE) {
      const read = ids.slice(start, start + READ_AT_ONCE).map((id) => this.#read(id));
      for (const record of await Promise.all(read)) if (record && matches(record)) page.add(record);
    }
    return page.found();
  }

  async get(id: unknown, query: unknown, caller: ServiceCaller): Promise<JsonObject> {
    const channel = this.#channelOf(id);
    caller.allow("history", channel);
    this.#checkKept("get");
    checkNoQuery(query, "get");
    return (await this.#read(id)) ?? this.#notFound(channel);
  }

  /** @throws FanfareError `version_mismatch` when there is a record with this id */
  async create(data: unknown, query: unknown, caller: ServiceCaller): Promise<JsonObject> {
    const { name, records } = this.settings;
    caller.allow("publish", name);
    checkNoQuery(query, "create");
    const given = this.#checked(data);
    if (records === 0) return this.#tell(given, caller);
    const id = given.id ?? Buffer.from(this.#hub.random.bytes(ID_BYTES)).toString("base64url");
    const channel = this.#channelOf(id);
    const record = applyMergePatch(null, { ...given, id });
    return this.#inOrder.run(channel, async () => {
      const messages = this.#messages("create", channel, record, caller);
      if (await this.#read(id)) throw this.#exists(channel);
      const dropped = await this.#index.add(String(id));
      await this.#set(channel, record);
      await this.#append(messages);
      for (const old of dropped) await this.#drop(old);
      return record;
    });
  }

  update(id: unknown, data: unknown, query: unknown, caller: ServiceCaller): Promise<JsonObject> {
    const replace =
      (given: JsonObject): Change =>
      (record) =>
        applyMergePatch(null, { ...given, id: record.id });
    return this.#change("update", id, data, query, caller, replace);
  }

  patch(id: unknown, data: unknown, query: unknown, caller: ServiceCaller): Promise<JsonObject> {
    const merge =
      (given: JsonObject): Change =>
      (record) =>
        applyMergePatch(record, { ...given, id: record.id });
    return this.#change("patch", id, data, query, caller, merge);
  }

  remove(id: unknown, query: unknown, caller: ServiceCaller): Promise<JsonObject> {
    return this.#change("remove", id, {}, query, caller, () => () => null);
  }

  async #change(
    method: Method,
    id: unknown,
    data: unknown,
    query: unknown,
    caller: ServiceCaller,
    changeOf: (given: JsonObject) => Change,
  ): Promise<JsonObject> {
    const channel = this.#channelOf(id);
    caller.allow("patch", channel);
    this.#checkKept(method);
    checkNoQuery(query, method);
    const change = changeOf(this.#checked(data));
    return this.#inOrder.run(channel, () => this.#apply(method, channel, String(id), change, caller));
  }

  /** Changes a record as it is now, and tells of it. */
  async #apply(
    method: Method,
    channel: ChannelName,
    id: string,
    change: Change,
    caller: ServiceCaller | null,
  ): Promise<JsonObject> {
    for (let tries = 1; ; tries++) {
      const present = await this.#hub.state(channel);
      if (!present?.json) return this.#notFound(channel);
      const before = recordOf(id, present.json);
      const after = change(before);
      // What is told is checked before anything is changed.
      const messages = this.#messages(method, channel, after ?? before, caller);
      try {
        await this.#hub.changeState(channel, { value: after, ifVersion: present });
      } catch (error) {
        if (error instanceof VersionMismatchError && tries < MAX_TRIES) continue;
        throw error;
      }
      if (!after) await this.#index.remove(id);
      await this.#append(messages);
      return after ?? before;
    }
  }

  /** There are too many: the oldest goes, as if somebody had removed it. */
  #drop(id: string): Promise<unknown> {
    const channel = this.#channelOf(id);
    return this.#inOrder.run(channel, () =>
      this.#apply("remove", channel, id, () => null, null).catch((error: unknown) => {
        // Somebody has removed it meanwhile.
        if (!(error instanceof FanfareError && error.code === "not_found")) throw error;
      }),
    );
  }

  /** A service that keeps no records: the event is all there is. */
  async #tell(data: JsonObject, caller: ServiceCaller): Promise<JsonObject> {
    const channel = data.id === undefined ? null : this.#channelOf(data.id);
    await this.#append(this.#messages("create", channel, data, caller));
    return data;
  }

  async #set(channel: ChannelName, record: JsonObject): Promise<void> {
    try {
      await this.#hub.changeState(channel, { value: record, ifVersion: null });
    } catch (error) {
      throw error instanceof VersionMismatchError ? this.#exists(channel) : error;
    }
  }

  /** @throws FanfareError `too_large`, `invalid_value` */
  #messages(
    method: Method,
    channel: ChannelName | null,
    data: JsonObject,
    caller: ServiceCaller | null,
  ): Prepared[] {
    const { name } = this.settings;
    const message = { event: EVENTS[method], data, ...(caller && { user: caller.publisher.user }) };
    return this.#hub.publishing.prepareForAll(channel ? [name, channel] : [name], message);
  }

  async #append(messages: readonly Prepared[]): Promise<void> {
    const results = await this.#hub.publishing.appendAll(messages, (error) => error);
    for (const result of results) if ("error" in result) throw result.error;
  }

  async #read(id: unknown): Promise<JsonObject | null> {
    const state = await this.#hub.state(this.#channelOf(id));
    return state?.json ? recordOf(String(id), state.json) : null;
  }

  /** @throws FanfareError `invalid_request` when it cannot be a segment of a channel name */
  #channelOf(id: unknown): ChannelName {
    const { name } = this.settings;
    if (id === null) {
      throw new FanfareError("method_not_allowed", `many records of ${name} cannot be changed at once`, {
        remedy: "Give the id of one record.",
      });
    }
    const isId = (typeof id === "string" && !id.includes(":")) || Number.isSafeInteger(id);
    const channel = `${name}:${String(id)}`;
    if (isId && isChannelName(channel)) return parseChannelName(channel);
    throw new FanfareError("invalid_request", `id is ${quote(String(JSON.stringify(id)))}`, {
      remedy: "Give an id of the characters A-Z a-z 0-9 _ - . = @ , ; ~, or a whole number.",
    });
  }

  /** What a record is to be made of. @throws FanfareError `invalid_value`, `too_large`, `method_not_allowed` */
  #checked(data: unknown): JsonObject {
    if (Array.isArray(data)) {
      throw new FanfareError("method_not_allowed", `${data.length} records cannot be made at once`, {
        remedy: "Create them one by one.",
      });
    }
    if (!isJsonObject(data)) {
      throw new FanfareError("invalid_value", `the data is ${data === null ? "null" : `a ${typeof data}`}`, {
        remedy: 'Give an object, such as {"text": "hello"}.',
      });
    }
    const problem = findValueProblem(data, this.#hub.limits.stateBytes);
    if (problem) throw new FanfareError(problem.code, problem.message, { remedy: problem.remedy });
    return data;
  }

  #checkKept(what: string): void {
    const { name, records } = this.settings;
    if (records > 0) return;
    throw new FanfareError("method_not_allowed", `${name} keeps no records: ${what} is not possible`, {
      remedy: `Set records of the service ${name} to more than 0, or create only.`,
    });
  }

  #exists(channel: ChannelName): FanfareError {
    return new FanfareError("version_mismatch", `there is a record ${channel} already`, {
      remedy: "Update or patch it, or create one with another id.",
    });
  }

  #notFound(channel: ChannelName): never {
    const { name, records } = this.settings;
    throw new FanfareError("not_found", `there is no record ${channel}`, {
      remedy: `Compare the id. ${name} keeps its newest ${records} records.`,
    });
  }
}

/** The record that a state is. Its id is there even where somebody has set the state by other means. */
function recordOf(id: string, json: string): JsonObject {
  const state: JsonObject = JSON.parse(json);
  return Object.hasOwn(state, "id") ? state : { id, ...state };
}
