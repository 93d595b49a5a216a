/**
 * The payloads of channels, as an application has defined them: finds the definition of a channel, and asks its schemas. A schema only
 * checks: what it makes of a value is not used, since subscribers get what was published.
 */
import type { ChannelDefinition, ChannelDefinitions, StandardSchema } from "@fanfare/client";
import {
  bySpecificity,
  type ChannelName,
  FanfareError,
  type JsonObject,
  matches,
  type Pattern,
  parsePattern,
  quote,
  shown,
} from "@fanfare/protocol";
import type { Clock } from "../base/clock.js";
import { inTime } from "../base/in-time.js";
import { membersOf, remedyFor } from "../base/known-names.js";
import type { Log } from "../base/log.js";
import type { PayloadChecks } from "../hub/terms/payload-checks.js";
import { sayIssues } from "./issues.js";

interface Prepared {
  readonly name: string;
  readonly pattern: Pattern;
  readonly definition: ChannelDefinition;
}

/** A message waits for the check before it on its channel, so a check that never ends would hold the channel for all. */
const CHECK_WITHIN_MS = 10_000;

const PARAMETER = /^\{[A-Za-z_][A-Za-z0-9_]*\}$/;

export class TypedChannels implements PayloadChecks {
  /** The most specific first. */
  readonly #definitions: readonly Prepared[];
  readonly #clock: Clock;
  readonly #log: Log;
  /** Definitions with a member who did not fit: the log has one line of each. */
  readonly #logged = new Set<Prepared>();

  /** @throws FanfareError `invalid_channel_definition` */
  constructor(definitions: ChannelDefinitions, clock: Clock, log: Log) {
    this.#definitions = prepare(definitions);
    this.#clock = clock;
    this.#log = log;
  }

  message(channel: ChannelName, event: string, data: unknown): void | Promise<void> {
    const definition = this.#of(channel)?.definition;
    if (!definition) return;
    const { message, messages } = definition;
    if (messages && !Object.hasOwn(messages, event)) {
      const events = Object.keys(messages).map((each) => quote(each));
      throw new FanfareError("invalid_data", `${channel} has no event ${quote(event)}`, {
        remedy: `Publish one of ${events.join(", ")}, or define this one.`,
      });
    }
    const schema = messages?.[event] ?? message;
    return schema && check(schema, data, "data", channel, this.#clock);
  }

  state(channel: ChannelName, state: JsonObject): void | Promise<void> {
    const schema = this.#of(channel)?.definition.state;
    return schema && check(schema, state, "state", channel, this.#clock);
  }

  info(channel: ChannelName, info: unknown): boolean {
    const prepared = this.#of(channel);
    if (!prepared?.definition.presence) return true;
    try {
      const checking = check(prepared.definition.presence, info, "info", channel, this.#clock);
      if (!checking) return true;
      checking.catch(() => {});
      this.#hidden(prepared, channel, new TypeError(`${channel}: the schema of presence is asynchronous`));
    } catch (error) {
      this.#hidden(prepared, channel, error);
    }
    return false;
  }

  #hidden(prepared: Prepared, channel: ChannelName, error: unknown): void {
    if (this.#logged.has(prepared)) return;
    this.#logged.add(prepared);
    this.#log.warn(
      { channel, definition: prepared.name, err: error },
      "the info of a member is not shown, because it does not fit; there may be more like it",
    );
  }

  #of(channel: ChannelName): Prepared | undefined {
    return this.#definitions.find(({ pattern }) => matches(pattern, channel));
  }
}

/** The answer of a schema. */
type Judgement = Awaited<ReturnType<StandardSchema["~standard"]["validate"]>>;

/** @throws FanfareError `invalid_data`, and `unavailable` where the check takes too long */
function check(
  schema: StandardSchema,
  value: unknown,
  name: "data" | "state" | "info",
  channel: ChannelName,
  clock: Clock,
): void | Promise<void> {
  const judge = (judgement: Judgement) => {
    if (typeof judgement !== "object")
      throw new TypeError(`${channel}: its schema answered ${shown(judgement)}`);
    const { issues } = judgement;
    if (issues) throw new FanfareError("invalid_data", `${channel}: ${sayIssues(name, issues)}`);
  };
  const result = schema["~standard"].validate(value);
  // Promises of other libraries are none of JavaScript's own, and say nothing about issues.
  if (!("then" in Object(result))) return judge(result as Judgement);
  const judging = Promise.resolve(result).then(judge);
  return inTime(clock, CHECK_WITHIN_MS, judging).then((inTime) => {
    if (inTime) return;
    const message = `${channel}: its schema did not answer within ${CHECK_WITHIN_MS / 1000} seconds`;
    throw new FanfareError("unavailable", message, {
      remedy: "Try again; if it stays, look what the schema waits for.",
    });
  });
}

function prepare(definitions: ChannelDefinitions): Prepared[] {
  const prepared: Prepared[] = [];
  for (const [name, definition] of Object.entries(definitions)) {
    const pattern = patternOf(name);
    const other = prepared.find((each) => each.pattern.text === pattern.text);
    if (other) {
      throw invalidDefinition(
        `channels: ${quote(name)} and ${quote(other.name)} are for the same channels`,
        "Keep one of them.",
      );
    }
    checkDefinition(name, definition);
    prepared.push({ name, pattern, definition });
  }
  return prepared.sort((a, b) => bySpecificity(a.pattern, b.pattern));
}

/** `order:{id}` as the pattern `order:*`. */
function patternOf(name: string): Pattern {
  const segments = name.split(":").map((segment) => (PARAMETER.test(segment) ? "*" : segment));
  const literal = name.split(":").find((segment) => /[*{}]/.test(segment) && !PARAMETER.test(segment));
  if (literal === undefined) {
    try {
      return parsePattern(segments.join(":"));
    } catch (error) {
      if (!(error instanceof FanfareError)) throw error;
    }
  }
  throw invalidDefinition(
    `channels: ${quote(name)} is no name of channels`,
    "Use segments split by colons, each a literal, or a parameter in braces: order:{id}.",
  );
}

const MEMBERS = membersOf<ChannelDefinition>({ message: true, messages: true, state: true, presence: true });

function checkDefinition(name: string, definition: ChannelDefinition): void {
  if (typeof definition !== "object" || definition === null) {
    throw invalidDefinition(
      `channels: ${quote(name)} is ${shown(definition)}`,
      `Give an object with ${MEMBERS.join(", ")}.`,
    );
  }
  const unknown = Object.keys(definition).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined) {
    throw invalidDefinition(
      `channels: ${quote(name)} has ${quote(unknown)}, which is not known`,
      remedyFor(unknown, MEMBERS),
    );
  }
  const { message, messages, state, presence } = definition;
  if (message && messages) {
    throw invalidDefinition(
      `channels: ${quote(name)} has both message and messages`,
      "Give message where every event carries the same, otherwise messages with a schema for each event.",
    );
  }
  for (const schema of [message, state, presence, ...Object.values(messages ?? {})]) {
    if (schema === undefined || schema["~standard"]?.version === 1) continue;
    throw invalidDefinition(
      `channels: ${quote(name)} has a schema that is none`,
      "Use a library that follows Standard Schema, version 1, such as zod 4, valibot 1 or arktype 2.",
    );
  }
}

function invalidDefinition(message: string, remedy: string): FanfareError {
  return new FanfareError("invalid_channel_definition", message, { remedy });
}
