/**
 * What arrived, for all connections together: per connection a sequence that is checked for holes and repetitions, and
 * one histogram of delays. Plain typed arrays, since every delivery passes here.
 */

const BUCKET_US = 10;
/** Delays up to a minute; longer ones count as a minute. */
const BUCKETS = 60_000_000 / BUCKET_US;

export class Tally {
  deliveries = 0;
  lost = 0;
  doubled = 0;
  /** The newest number that each connection got. */
  #newest;
  #delays = new Uint32Array(BUCKETS);
  #target = 0;
  #atTarget = 0;
  #reached = () => {};

  /** @param {number} connections */
  constructor(connections) {
    this.#newest = new Uint32Array(connections);
  }

  /** @param {number} connection @param {number} sequence @param {number} delayUs */
  add(connection, sequence, delayUs) {
    const newest = this.#newest[connection] ?? 0;
    if (sequence <= newest) {
      this.doubled++;
      return;
    }
    this.deliveries++;
    this.lost += sequence - newest - 1;
    this.#newest[connection] = sequence;
    const bucket = Math.min(Math.max(0, Math.floor(delayUs / BUCKET_US)), BUCKETS - 1);
    this.#delays[bucket] = (this.#delays[bucket] ?? 0) + 1;
    if (sequence === this.#target && ++this.#atTarget === this.#newest.length) this.#reached();
  }

  /**
   * Resolves when every connection has got the message with this number.
   *
   * @param {number} target
   * @returns {Promise<void>}
   */
  reaches(target) {
    return new Promise((done) => {
      this.#target = target;
      this.#atTarget = this.#newest.reduce((count, newest) => (newest >= target ? count + 1 : count), 0);
      this.#reached = done;
      if (this.#atTarget === this.#newest.length) done();
    });
  }

  /** Forgets what has been counted, but not how far each connection is. */
  startOver() {
    this.deliveries = 0;
    this.#delays.fill(0);
  }

  /** Milliseconds within which this share of the messages arrived. @param {number} share 0 to 1 */
  delayMs(share) {
    let left = this.deliveries * share;
    for (const [bucket, count] of this.#delays.entries()) {
      left -= count;
      if (count > 0 && left <= 0) return ((bucket + 0.5) * BUCKET_US) / 1000;
    }
    return 0;
  }
}
