/**
 * A Feathers service on channels: a record is the state of the channel `<service>:<id>`, and what happens to it is published
 * there and on the channel `<service>`. Decides who may do what. Knows nothing of Socket.IO and of HTTP.
 */
import {
  applyMergePatch,
  type ChannelName,
  FanfareError,
  findValueProblem,
  isJsonObject,
  type JsonObject,
} from "@fanfare/protocol";
import type { Action } from "../access/grants/actions.js";
import type { Publisher } from "../access/grants/principal.js";
import type { ReadWork } from "../access/rates/call-cost.js";
import type { Hub } from "../hub/hub.js";
import type { Permit } from "../hub/terms/permit.js";
import type { Found } from "./found.js";
import type { Query } from "./query.js";
import { type Author, type Change, RecordChanges } from "./record-changes.js";
import { RecordIndex } from "./record-index.js";
import { type RecordReading, Records } from "./records.js";
import { Search } from "./search.js";
import type { Many, ServiceSettings } from "./service-options.js";

/** The caller, and what they may do. */
export interface ServiceCaller {
  /** How the hub knows them. */
  readonly publisher: Publisher;
  /** May they still do what was allowed? To be asked after what takes its time. */
  readonly permit: Permit;
  /** Did the query come as text, as in an address? */
  readonly texts: boolean;
  /** @throws FanfareError `forbidden`, `not_logged_in`, `rate_limited` */
  allow(action: Action, channel: ChannelName): void;
  may(action: Action, channel: ChannelName): boolean;
  /** Counts what a call has read, once that is known: the next one may have to wait. */
  hasRead(work: ReadWork): void;
}

/** A call that changes records. */
interface Changing {
  readonly method: "update" | "patch" | "remove";
  readonly caller: ServiceCaller;
  readonly query: Query;
  readonly change: Change;
  /** The data that the caller gave, and so may know without reading. */
  readonly given: JsonObject;
}

/** Records that one call may make. */
const MAX_AT_ONCE = 1000;

export class Service {
  readonly settings: ServiceSettings;
  readonly #hub: Hub;
  readonly #records: Records;
  readonly #search: Search;
  readonly #changes: RecordChanges;

  constructor(settings: ServiceSettings, hub: Hub, reading: RecordReading) {
    this.settings = settings;
    this.#hub = hub;
    const index = new RecordIndex(hub, settings.name, settings.records);
    this.#records = new Records(settings.name, hub, reading);
    this.#search = new Search(settings, index, this.#records, reading, hub.slices);
    this.#changes = new RecordChanges(settings, hub, index, this.#records);
  }

  /** @returns a page where the service has pages, else a list */
  async find(asked: unknown, caller: ServiceCaller): Promise<Found> {
    const query = await this.#queryOf("find", asked, caller);
    this.#search.checkMay(caller);
    this.#checkKept("find");
    const found = await this.#search.find(query, caller);
    caller.permit.check();
    return found;
  }

  async get(id: unknown, asked: unknown, caller: ServiceCaller): Promise<JsonObject> {
    const query = await this.#queryOf("get", asked, caller);
    const channel = this.#records.channelOf(id);
    caller.allow("history", channel);
    this.#checkKept("get");
    const kept = await this.#records.read(String(id), channel);
    caller.permit.check();
    if (kept) caller.hasRead({ bytes: kept.length, records: query.looksOf(kept.length) });
    if (!kept || !query.matches(kept.record)) throw this.#changes.notFound(channel);
    return query.selected(kept.record);
  }

  /**
   * Makes one record, or each of a list. Of the query only `$select` counts.
   *
   * @throws FanfareError `version_mismatch` when there is a record with this id
   */
  async create(
    data: unknown,
    asked: unknown,
    caller: ServiceCaller,
  ): Promise<JsonObject | readonly JsonObject[]> {
    const query = await this.#queryOf("create", asked, caller);
    const { name } = this.settings;
    if (!Array.isArray(data)) {
      caller.allow("publish", name);
      return this.#create(this.#checked(data), query, caller);
    }
    this.#checkMany("create");
    if (data.length > MAX_AT_ONCE) {
      throw new FanfareError("invalid_request", `${data.length} records are to be made at once`, {
        remedy: `Give at most ${MAX_AT_ONCE}.`,
      });
    }
    // All of them are looked at before one is made.
    const all = data.map((each: unknown) => this.#checked(each));
    for (const { id } of all) {
      if (id !== undefined && id !== null) this.#records.channelOf(id);
      caller.allow("publish", name);
    }
    const made: JsonObject[] = [];
    for (const each of all) {
      made.push(await this.#hub.slices.run(() => this.#create(each, query, caller)));
    }
    return made;
  }

  async update(id: unknown, data: unknown, asked: unknown, caller: ServiceCaller): Promise<JsonObject> {
    const query = await this.#queryOf("update", asked, caller);
    if (id === null) {
      throw new FanfareError("invalid_request", "many records cannot be replaced at once", {
        remedy: "Give the id of one record, or patch them.",
      });
    }
    const given = this.#checked(data);
    const change: Change = (record) => applyMergePatch(null, { ...given, id: record.id });
    return this.#changeOne(id, { method: "update", caller, query, change, given });
  }

  async patch(
    id: unknown,
    data: unknown,
    asked: unknown,
    caller: ServiceCaller,
  ): Promise<JsonObject | readonly JsonObject[]> {
    const query = await this.#queryOf("patch", asked, caller);
    if (id === null) this.#checkMany("patch");
    const given = this.#checked(data);
    const change: Change = (record) => applyMergePatch(record, { ...given, id: record.id });
    const changing: Changing = { method: "patch", caller, query, change, given };
    return id === null ? this.#changeMany(changing) : this.#changeOne(id, changing);
  }

  async remove(
    id: unknown,
    asked: unknown,
    caller: ServiceCaller,
  ): Promise<JsonObject | readonly JsonObject[]> {
    const query = await this.#queryOf("remove", asked, caller);
    if (id === null) this.#checkMany("remove");
    const changing: Changing = { method: "remove", caller, query, change: () => null, given: {} };
    return id === null ? this.#changeMany(changing) : this.#changeOne(id, changing);
  }

  async #create(given: JsonObject, query: Query, caller: ServiceCaller): Promise<JsonObject> {
    if (this.settings.records > 0) {
      return query.selected(await this.#changes.create(given, authorOf(caller)));
    }
    await this.#changes.tell(given, authorOf(caller));
    return query.selected(given);
  }

  async #changeOne(id: unknown, { method, caller, query, change, given }: Changing): Promise<JsonObject> {
    const channel = this.#records.channelOf(id);
    caller.allow("patch", channel);
    // Whether a record matches says what stands in it.
    if (query.conditional) caller.allow("history", channel);
    this.#checkKept(method);
    const matches = (record: JsonObject) => {
      if (query.conditional) caller.hasRead({ records: query.looksOf(JSON.stringify(record).length) });
      return query.matches(record);
    };
    const by = authorOf(caller);
    const record = await this.#changes.apply({ method, id: String(id), channel, change, matches, by });
    return query.selected(answered(record, id, given, channel, caller));
  }

  /** Changes those that match, as far as the caller may read and change them, one after the other. */
  async #changeMany({ method, caller, query, change, given }: Changing): Promise<readonly JsonObject[]> {
    this.#search.checkMay(caller);
    this.#checkKept(method);
    const all = await this.#search.toChange(query, JSON.stringify(given).length, caller);
    for (const { channel } of all) caller.allow("patch", channel);
    const { matches } = query;
    const by = authorOf(caller);
    const changed: JsonObject[] = [];
    for (const { id, channel } of all) {
      // It may have been taken away since then.
      if (!caller.may("patch", channel)) continue;
      try {
        const record = await this.#hub.slices.run(() =>
          this.#changes.apply({ method, id, channel, change, matches, by }),
        );
        changed.push(query.selected(answered(record, id, given, channel, caller)));
      } catch (error) {
        // Others have changed or removed it meanwhile.
        if (!(error instanceof FanfareError && error.code === "not_found")) throw error;
      }
    }
    return changed;
  }

  /** The libraries of queries are loaded where there are services, when the first is called. */
  async #queryOf(method: string, asked: unknown, { texts }: ServiceCaller): Promise<Query> {
    const { parseQuery } = await import("./query.js");
    return parseQuery(asked, { method, texts, pages: this.settings.paginate });
  }

  /** The checked data of a new record. @throws FanfareError `invalid_value`, `too_large` */
  #checked(data: unknown): JsonObject {
    if (!isJsonObject(data)) {
      const kind = Array.isArray(data) ? "a list" : data === null ? "null" : `a ${typeof data}`;
      throw new FanfareError("invalid_value", `the data is ${kind}`, {
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

  #checkMany(method: Many): void {
    const { name, multi } = this.settings;
    if (multi.includes(method)) return;
    // The words of Feathers.
    throw new FanfareError("method_not_allowed", `Can not ${method} multiple entries`, {
      remedy: `Give one record or the id of one, or set multi of the service ${name} to true or ["${method}"].`,
    });
  }
}

function authorOf({ publisher, permit }: ServiceCaller): Author {
  return { user: publisher.user, principal: publisher.principal, owner: publisher.owner, permit };
}

/** The answer about a changed record. A caller that may not read it gets the data that it gave. */
function answered(
  record: JsonObject,
  id: unknown,
  given: JsonObject,
  channel: ChannelName,
  caller: ServiceCaller,
): JsonObject {
  return caller.may("history", channel) ? record : applyMergePatch(null, { ...given, id });
}
