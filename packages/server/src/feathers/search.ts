/**
 * Looks for records of a service that a caller may read. One search at a time holds records; others of other callers come between its
 * slices.
 */
import type { ChannelName } from "@fanfare/protocol";
import type { Slices } from "../base/slices.js";
import { type Found, FoundRecords, MAX_ANSWER_BYTES, Sorting, tooLarge } from "./found.js";
import type { Query } from "./query.js";
import type { RecordIndex } from "./record-index.js";
import type { Kept, RecordReading, Records } from "./records.js";
import type { ServiceCaller } from "./service.js";
import type { ServiceSettings } from "./service-options.js";

/** Which record it is. */
export type Name = Pick<Kept, "id" | "channel">;

export class Search {
  readonly #settings: ServiceSettings;
  readonly #index: RecordIndex;
  readonly #records: Records;
  readonly #reading: RecordReading;
  readonly #slices: Slices;

  constructor(
    settings: ServiceSettings,
    index: RecordIndex,
    records: Records,
    reading: RecordReading,
    slices: Slices,
  ) {
    this.#settings = settings;
    this.#index = index;
    this.#records = records;
    this.#reading = reading;
    this.#slices = slices;
  }

  /** A page where the service has pages, else a list. @throws FanfareError `forbidden`, `not_logged_in`, `rate_limited`, `too_large` */
  find(query: Query, caller: ServiceCaller): Promise<Found> {
    return this.#inTurn(caller, async () => {
      const paged = this.#settings.paginate !== null;
      let found = new FoundRecords(query, paged);
      let ids: readonly string[] = await this.#index.ids();
      if (query.order) {
        const sorting = new Sorting(query.order, query);
        await this.#each(ids, query, caller, (kept) => sorting.add(kept));
        ids = sorting.ids();
        found = new FoundRecords(query, paged, sorting.total);
      }
      await this.#each(ids, query, caller, (kept) => {
        found.add(kept);
        return found.isComplete;
      });
      caller.hasRead({ bytes: found.bytes });
      return found.found();
    });
  }

  /**
   * Those that the caller may also change, as far as they have room in an answer.
   *
   * @param growth characters that the change adds to each, at most
   * @throws FanfareError `forbidden`, `not_logged_in`, `rate_limited`, `too_large`
   */
  toChange(query: Query, growth: number, caller: ServiceCaller): Promise<readonly Name[]> {
    return this.#inTurn(caller, async () => {
      const names: Name[] = [];
      let bytes = 0;
      await this.#each(await this.#index.ids(), query, caller, ({ id, channel, record, length }) => {
        if (!caller.may("patch", channel)) return;
        bytes += growth + (query.selects ? JSON.stringify(query.selected(record)).length : length);
        // Better before than after they were changed.
        if (bytes > MAX_ANSWER_BYTES) throw tooLarge();
        names.push({ id, channel });
      });
      return names;
    });
  }

  /** Refuses those who may search nothing, and counts nothing. @throws FanfareError `forbidden`, `not_logged_in` */
  checkMay(caller: ServiceCaller): void {
    const { name } = this.#settings;
    if (!caller.may("history", name)) caller.allow("history", name);
  }

  /** Checks the rate when the turn of a search has come: the cost of the searches before it is known only then. */
  #inTurn<Answer>(caller: ServiceCaller, work: () => Promise<Answer>): Promise<Answer> {
    const { name } = this.#settings;
    return this.#reading.search(() => {
      caller.allow("history", name);
      return work();
    });
  }

  /** Looks at records. @param take takes one that matches; `true`: that is enough */
  async #each(
    ids: readonly string[],
    query: Query,
    caller: ServiceCaller,
    take: (kept: Kept) => unknown,
  ): Promise<void> {
    const { name } = this.#settings;
    let looked = 0;
    let isEnough = false;
    try {
      // Grants may have been taken away since it began.
      const may = (channel: ChannelName) => caller.may("history", name) && caller.may("history", channel);
      for await (const { ids: done, kept } of this.#records.scan(ids, may)) {
        looked += done;
        // A few records may take as long as many, by what they hold and what is asked.
        await this.#slices.each(
          whileNot(kept, () => isEnough),
          (each) => {
            looked += query.looksOf(each.length) - 1;
            isEnough = query.matches(each.record) && take(each) === true;
          },
        );
        if (isEnough) return;
      }
    } finally {
      caller.hasRead({ records: looked });
    }
  }
}

function* whileNot<Item>(items: Iterable<Item>, isOver: () => boolean): Generator<Item> {
  for (const item of items) {
    if (isOver()) return;
    yield item;
  }
}
