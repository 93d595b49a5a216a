/**
 * How often callers were refused, and by what: figures that tell an operator of somebody who tries things out, of an application that
 * is configured wrongly, and of limits that are too low.
 */
import { ACTIONS, type Action } from "../grants/actions.js";
import { DEFAULT_RATES, type RateSettings } from "./rate-options.js";

/** Why the server did not even look who the caller is. */
const AT_THE_DOOR = { host_not_allowed: 0, origin_not_allowed: 0, too_many_connections: 0 } as const;

type AtTheDoor = keyof typeof AT_THE_DOOR;

export class Refusals {
  /** Keys, tokens and sessions that were not accepted, or not any more. */
  logIns = 0;
  /** By what was to be done. */
  readonly actions: Record<Action, number> = zeros(ACTIONS);
  /** By the rate that was exceeded. */
  readonly rates: Record<keyof RateSettings, number> = zeros(DEFAULT_RATES);
  /** By the code of the error. */
  readonly atTheDoor: Record<AtTheDoor, number> = { ...AT_THE_DOOR };

  /** What clients sent that no door takes, by what is wrong with it. Their connections are closed. */
  readonly packets = { malformed: 0, too_large: 0 };

  /** Counts what was refused before anybody was asked who he is, by the code of its error. */
  count(code: string): void {
    if (isAtTheDoor(code)) this.atTheDoor[code]++;
  }
}

function isAtTheDoor(code: string): code is AtTheDoor {
  return Object.hasOwn(AT_THE_DOOR, code);
}

function zeros<Name extends string>(named: Readonly<Record<Name, unknown>>): Record<Name, number> {
  // What has these names has no others.
  return Object.fromEntries(Object.keys(named).map((name) => [name, 0])) as Record<Name, number>;
}
