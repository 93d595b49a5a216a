/** Sequences as a library has them: names as texts. */
import { type Numbers, parseChannelName } from "@fanfare/protocol";
import { checkMembers, membersOf } from "../base/known-names.js";
import type { Sequences } from "../locks/sequences.js";

export interface NextOptions {
  /** How many numbers, 1 to 1,000. @default 1 */
  readonly count?: number;
  /** The first number of a sequence that has given none yet: 0 to 2^53 − 1. @default 1 */
  readonly start?: number;
  /** Idempotency key, 1 to 200 characters: for 5 minutes the same call with the same id is given the same numbers. */
  readonly id?: string;
}

const NEXT_OPTIONS = membersOf<NextOptions>({ count: true, start: true, id: true });

/** `fanfare.sequences`. */
export interface FanfareSequences {
  /**
   * Takes the next numbers of a sequence: `first` to `last` are only the caller's. On a durable engine no number is ever
   * given twice.
   *
   * @param name like a channel name, such as `invoice`
   * @throws FanfareError `invalid_channel`, `invalid_request`, `sequence_exhausted`, `id_reused`, `insufficient_storage`,
   * `unavailable`
   * @example const { first } = await fanfare.sequences.next("invoice");
   */
  next(name: string, options?: NextOptions): Promise<Numbers>;
  /** The number that was given last; `null` when none was. @throws FanfareError `invalid_channel`, `unavailable` */
  get(name: string): Promise<number | null>;
  /**
   * Forgets a sequence: its next number is the first one again, so numbers are given twice. Resolves with whether there was one.
   *
   * @throws FanfareError `invalid_channel`, `insufficient_storage`, `unavailable`
   */
  remove(name: string): Promise<boolean>;
}

export function fanfareSequences(sequences: Sequences): FanfareSequences {
  return {
    async next(name, options = {}) {
      checkMembers("options", options, NEXT_OPTIONS);
      return await sequences.next(parseChannelName(name), options);
    },
    get: async (name) => await sequences.last(parseChannelName(name)),
    remove: async (name) => await sequences.remove(parseChannelName(name)),
  };
}
