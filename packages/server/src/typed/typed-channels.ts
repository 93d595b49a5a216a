/**
 * What channels carry, as an application has defined it: finds the definition of a channel, and asks its schemas. A schema only
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
} from "@fanfare/protocol";
import type { PayloadChecks } from "../hub/admission.js";
import { membersOf, remedyFor } from "../known-names.js";
import type { Log } from "../log.js";
import { sayIssues } from "./issues.js";

/** A definition that cannot be used. */
export class ChannelDefinitionError extends Error {
  override readonly name = "ChannelDefinitionError";
  readonly code = "invalid_channel_definition";
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

interface Prepared {
  readonly name: string;
  readonly pattern: Pattern;
  readonly definition: ChannelDefinition;
}

const PARAMETER = /^\{[A-Za-z_][A-Za-z0-9_]*\}$/;

export class TypedChannels implements PayloadChecks {
  /** The most specific first. */
  readonly #definitions: readonly Prepared[];
  readonly #log: Log;
  /** Definitions with a member who did not fit: the log has one line of each. */
  readonly #logged = new Set<Prepared>();

  /** @throws ChannelDefinitionError */
  constructor(definitions: ChannelDefinitions, log: Log) {
    this.#definitions = prepare(definitions);
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
    return schema && check(schema, data, "data", channel);
  }

  state(channel: ChannelName, state: JsonObject): void | Promise<void> {
    const schema = this.#of(channel)?.definition.state;
    return schema && check(schema, state, "state", channel);
  }

  info(channel: ChannelName, info: unknown): boolean {
    const prepared = this.#of(channel);
    if (!prepared?.definition.presence) return true;
    try {
      const checking = check(prepared.definition.presence, info, "info", channel);
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

/** @throws FanfareError `invalid_data` */
function check(
  schema: StandardSchema,
  value: unknown,
  name: "data" | "state" | "info",
  channel: ChannelName,
): void | Promise<void> {
  const judge = ({ issues }: Awaited<ReturnType<StandardSchema["~standard"]["validate"]>>) => {
    if (issues) throw new FanfareError("invalid_data", `${channel}: ${sayIssues(name, issues)}`);
  };
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then(judge) : judge(result);
}

function prepare(definitions: ChannelDefinitions): Prepared[] {
  const prepared: Prepared[] = [];
  for (const [name, definition] of Object.entries(definitions)) {
    const pattern = patternOf(name);
    const other = prepared.find((each) => each.pattern.text === pattern.text);
    if (other) {
      throw new ChannelDefinitionError(
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
  throw new ChannelDefinitionError(
    `channels: ${quote(name)} is no name of channels`,
    "Use segments split by colons, each a literal, or a parameter in braces: order:{id}.",
  );
}

const MEMBERS = membersOf<ChannelDefinition>({ message: true, messages: true, state: true, presence: true });

function checkDefinition(name: string, definition: ChannelDefinition): void {
  if (typeof definition !== "object" || definition === null) {
    throw new ChannelDefinitionError(
      `channels: ${quote(name)} is ${String(definition)}`,
      `Give an object with ${MEMBERS.join(", ")}.`,
    );
  }
  const unknown = Object.keys(definition).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined) {
    throw new ChannelDefinitionError(
      `channels: ${quote(name)} has ${quote(unknown)}, which is not known`,
      remedyFor(unknown, MEMBERS),
    );
  }
  const { message, messages, state, presence } = definition;
  if (message && messages) {
    throw new ChannelDefinitionError(
      `channels: ${quote(name)} has both message and messages`,
      "Give message where every event carries the same, otherwise messages with a schema for each event.",
    );
  }
  for (const schema of [message, state, presence, ...Object.values(messages ?? {})]) {
    if (schema === undefined || schema["~standard"]?.version === 1) continue;
    throw new ChannelDefinitionError(
      `channels: ${quote(name)} has a schema that is none`,
      "Use a library that follows Standard Schema, version 1, such as zod 4, valibot 1 or arktype 2.",
    );
  }
}
