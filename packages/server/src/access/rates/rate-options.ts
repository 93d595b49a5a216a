/**
 * How much is taken at once from one connection, one user and one address: each rate is declared here once, with its default and its
 * text. API keys are not limited, nor are the addresses of this machine.
 */
import { z } from "zod";
import { described, type Given } from "../../base/option.js";
import { checkedOptions } from "../../base/option-checks.js";

/** The window of all rates. */
export const RATE_WINDOW_SECONDS = 10;

const READ_COST =
  "A call counts as 1, and as 1 more for every 64 KiB that it answers with and every 100 records that it looks at.";

const WRITE_COST =
  "One of more than 16 KiB counts as 1 more for every 16 KiB of the message, or of the state that it changes.";

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
const options = {
  /** Connections that one address opens. @default 1,000 */
  connectsPerAddress: rate(1000, "Connections that one address opens."),
  /** Connections that one user opens. @default 100 */
  connectsPerUser: rate(100, "Connections that one user opens."),
  /** Frames that one connection sends. @default 2,000 */
  framesPerConnection: rate(2000, "Frames that one connection sends."),
  /** Frames and HTTP requests of one user. @default 10,000 */
  framesPerUser: rate(10_000, "Frames and HTTP requests of one user."),
  /** Frames and HTTP requests from one address. @default 40,000 */
  framesPerAddress: rate(40_000, "Frames and HTTP requests from one address."),
  /** Subscriptions that one connection makes. @default 2,000 */
  subscriptionsPerConnection: rate(2000, "Subscriptions that one connection makes."),
  /** Subscriptions that one user makes. @default 10,000 */
  subscriptionsPerUser: rate(10_000, "Subscriptions that one user makes."),
  /** Subscriptions that are made from one address. @default 100,000 */
  subscriptionsPerAddress: rate(100_000, "Subscriptions that are made from one address."),
  /** Messages, changes of states, locks and numbers of one connection. One of more than 16 KiB counts as 1 more for every 16 KiB of the message, or of the state that it changes. @default 500 */
  publishesPerConnection: rate(
    500,
    `Messages, changes of states, locks and numbers of one connection. ${WRITE_COST}`,
  ),
  /** The same of one user. One of more than 16 KiB counts as 1 more for every 16 KiB of the message, or of the state that it changes. @default 2,000 */
  publishesPerUser: rate(2000, `The same of one user. ${WRITE_COST}`),
  /** The same from one address. One of more than 16 KiB counts as 1 more for every 16 KiB of the message, or of the state that it changes. @default 5,000 */
  publishesPerAddress: rate(5000, `The same from one address. ${WRITE_COST}`),
  /** Reads of one connection: histories, states, records, lists of members. A call counts as 1, and as 1 more for every 64 KiB that it answers with and every 100 records that it looks at. @default 1,000 */
  readsPerConnection: rate(
    1000,
    `Reads of one connection: histories, states, records, lists of members. ${READ_COST}`,
  ),
  /** Reads of one user. A call counts as 1, and as 1 more for every 64 KiB that it answers with and every 100 records that it looks at. @default 2,000 */
  readsPerUser: rate(2000, `Reads of one user. ${READ_COST}`),
  /** Reads from one address. A call counts as 1, and as 1 more for every 64 KiB that it answers with and every 100 records that it looks at. @default 10,000 */
  readsPerAddress: rate(10_000, `Reads from one address. ${READ_COST}`),
  /** Log-ins from one address that are refused, and its questions why something is allowed. @default 100 */
  logInsPerAddress: rate(
    100,
    "Log-ins from one address that are refused, and its questions why something is allowed.",
  ),
};

export const RATES = z.strictObject(options);

/** Numbers within 10 seconds; 0 is no limit. */
export type RateOptions = Given<typeof options>;
export type RateSettings = z.output<typeof RATES>;

export const DEFAULT_RATES: RateSettings = RATES.parse({});

/** @throws TypeError */
export function rateSettings(given: RateOptions = {}): RateSettings {
  return checkedOptions("rates", RATES, given);
}

function rate(value: number, text: string) {
  return described(z.int().min(0).default(value), {
    text,
    allowed: "a whole number from 0 up; 0 is no limit",
    unit: `in ${RATE_WINDOW_SECONDS} seconds`,
  });
}
