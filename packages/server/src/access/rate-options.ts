/** How much is taken at once from one connection, one user and one address. */
import { checkOptions } from "../known-names.js";

/** All rates are counted over so long. */
export const RATE_WINDOW_SECONDS = 10;

/** Numbers within 10 seconds; 0 is no limit. Who has an API key is not limited, nor is this machine itself by its address. */
export interface RateOptions {
  /** @default 1,000 */
  readonly connectsPerAddress?: number;
  /** @default 100 */
  readonly connectsPerUser?: number;
  /** Enough to leave, one by one, all channels that a connection may have. @default 2,000 */
  readonly framesPerConnection?: number;
  /** Frames of all connections of the user, and HTTP requests. @default 10,000 */
  readonly framesPerUser?: number;
  /** Frames of all connections from the address, and HTTP requests. @default 40,000 */
  readonly framesPerAddress?: number;
  /** @default 2,000 */
  readonly subscriptionsPerConnection?: number;
  /** @default 10,000 */
  readonly subscriptionsPerUser?: number;
  /** @default 100,000 */
  readonly subscriptionsPerAddress?: number;
  /** @default 500 */
  readonly publishesPerConnection?: number;
  /** @default 2,000 */
  readonly publishesPerUser?: number;
  /** @default 5,000 */
  readonly publishesPerAddress?: number;
  /** Log-ins that were refused, and questions why something is allowed. @default 100 */
  readonly logInsPerAddress?: number;
}

export type RateSettings = Required<RateOptions>;

export const DEFAULT_RATES: RateSettings = {
  connectsPerAddress: 1000,
  connectsPerUser: 100,
  framesPerConnection: 2000,
  framesPerUser: 10_000,
  framesPerAddress: 40_000,
  subscriptionsPerConnection: 2000,
  subscriptionsPerUser: 10_000,
  subscriptionsPerAddress: 100_000,
  publishesPerConnection: 500,
  publishesPerUser: 2000,
  publishesPerAddress: 5000,
  logInsPerAddress: 100,
};

/** @throws TypeError */
export function rateSettings(options: RateOptions = {}): RateSettings {
  checkOptions("rates", options, Object.keys(DEFAULT_RATES));
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || (Number.isInteger(value) && value >= 0)) continue;
    throw new TypeError(
      `rates.${name} is ${String(value)}. Give a whole number within 10 seconds, or 0 for no limit.`,
    );
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_RATES, ...Object.fromEntries(given) };
}
