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

  /** @throws ChannelDefinitionError */
  constructor(definitions: ChannelDefinitions) {
    this.#definitions = prepare(definitions);
  }

  message(channel: ChannelName, event: string, data: unknown): void | Promise<void> {
    const definition = this.#of(channel);
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
    const schema = this.#of(channel)?.state;
    return schema && check(schema, state, "state", channel);
  }

  #of(channel: ChannelName): ChannelDefinition | undefined {
    return this.#definitions.find(({ pattern }) => matches(pattern, channel))?.definition;
  }
}

/** @throws FanfareError `invalid_data` */
function check(
  schema: StandardSchema,
  value: unknown,
  name: "data" | "state",
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

const MEMBERS = ["message", "messages", "state"];

function checkDefinition(name: string, definition: ChannelDefinition): void {
  const unknown = Object.keys(definition).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined) {
    throw new ChannelDefinitionError(
      `channels: ${quote(name)} has ${quote(unknown)}, which is not known`,
      `Use ${MEMBERS.join(", ")}.`,
    );
  }
  const { message, messages, state } = definition;
  if (message && messages) {
    throw new ChannelDefinitionError(
      `channels: ${quote(name)} has both message and messages`,
      "Give message where every event carries the same, otherwise messages with a schema for each event.",
    );
  }
  for (const schema of [message, state, ...Object.values(messages ?? {})]) {
    if (schema === undefined || schema["~standard"]?.version === 1) continue;
    throw new ChannelDefinitionError(
      `channels: ${quote(name)} has a schema that is none`,
      "Use a library that follows Standard Schema, version 1, such as zod 4, valibot 1 or arktype 2.",
    );
  }
}
