/**
 * Typed channels: which channels an application has, and what they carry, said once for its server and its pages. Types, and one
 * function that hands on what it is given; the server does the checking.
 */

import type { JsonObject } from "@fanfare/protocol";
import type { InputOf, StandardSchema } from "./standard-schema.js";
import type { Message } from "./types.js";

/** The payloads of a channel. A part that you leave out may be anything. */
export interface ChannelDefinition {
  /** The `data` of every message, whatever its event. */
  readonly message?: StandardSchema;
  /** The `data` of messages by event; others are refused. In place of `message`. */
  readonly messages?: { readonly [event: string]: StandardSchema };
  /** The whole state. */
  readonly state?: StandardSchema;
  /** The `info` of a member who is present; the server checks it at once, so the schema has to answer without waiting. */
  readonly presence?: StandardSchema;
}

/** Definitions by channel name, in which `{…}` stands for one segment, whatever it is: `order:{id}`. */
export interface ChannelDefinitions {
  readonly [name: string]: ChannelDefinition;
}

/**
 * Says which channels there are and what they carry. Give it to `createFanfare({ channels })`, which checks what is published, and
 * its type to `createClient<typeof channels>()`.
 *
 * @param channels by name, with schemas of any library that follows Standard Schema (zod, valibot, arktype …)
 * @example
 * export const channels = defineChannels({
 *   "order:{id}": { message: z.object({ status: z.string() }) },
 *   "chat:{room}": { messages: { said: z.object({ text: z.string() }), left: z.null() } },
 * });
 */
export function defineChannels<Channels extends ChannelDefinitions>(channels: Channels): Channels {
  return channels;
}

// ---- names

/** The names of the channels that are defined, such as `order:${string}`. */
export type NamesOf<Channels> = Texts<keyof Channels & string>;

type Texts<Pattern extends string> = Pattern extends `${infer Head}{${string}}${infer Tail}`
  ? `${Head}${string}${Texts<Tail>}`
  : Pattern;

/** The name itself, if a definition is for it segment by segment; otherwise nothing fits. */
export type Named<Channels, Name extends string> = [PatternOf<Channels, Name>] extends [never] ? never : Name;

/** Which definition is for a name: of several, the one with a literal where the other has a parameter. */
type PatternOf<Channels, Name extends string> = Name extends unknown
  ? Sharpest<Fitting<keyof Channels & string, Name>>
  : never;

/** Patterns with what is left of them to compare. */
type Candidate = readonly [pattern: string, rest: string];

type Fitting<Pattern extends string, Name extends string> = Pattern extends unknown
  ? Fits<Pattern, Name> extends true
    ? readonly [Pattern, Pattern]
    : never
  : never;

type Fits<Pattern extends string, Name extends string> = Pattern extends `${infer Wanted}:${infer More}`
  ? Name extends `${infer Segment}:${infer Rest}`
    ? FitsSegment<Wanted, Segment> extends true
      ? Fits<More, Rest>
      : false
    : false
  : Name extends `${string}:${string}`
    ? false
    : FitsSegment<Pattern, Name>;

type FitsSegment<Wanted extends string, Segment extends string> = Wanted extends `{${string}}`
  ? true
  : Segment extends Wanted
    ? true
    : false;

/** Goes along the segments, all candidates at once, and keeps those with a literal where there are any. */
type Sharpest<Candidates extends Candidate> = [Candidates] extends [never]
  ? never
  : [Candidates] extends [readonly [infer Pattern, ""]]
    ? Pattern
    : [Literal<Candidates>] extends [never]
      ? Sharpest<Next<Candidates>>
      : Sharpest<Next<Literal<Candidates>>>;

type Literal<Each extends Candidate> = Each extends readonly [string, `{${string}`] ? never : Each;

type Next<Each extends Candidate> = Each extends readonly [infer Pattern extends string, infer Rest]
  ? Rest extends `${string}:${infer More}`
    ? readonly [Pattern, More]
    : readonly [Pattern, ""]
  : never;

type DefinitionOf<Channels, Name extends string> = Channels[PatternOf<Channels, Name> & keyof Channels];

// ---- what they carry

/** The events of a channel. */
export type EventOf<Channels, Name extends string> =
  DefinitionOf<Channels, Name> extends { readonly messages: infer Messages }
    ? keyof Messages & string
    : string;

/** The data of a message. The output of a schema does not matter: subscribers get what was published. */
export type DataOf<Channels, Name extends string, Event extends string = "message"> =
  DefinitionOf<Channels, Name> extends { readonly messages: infer Messages }
    ? Event extends keyof Messages
      ? InputOf<Messages[Event]>
      : never
    : DefinitionOf<Channels, Name> extends { readonly message: infer Schema }
      ? InputOf<Schema>
      : unknown;

/** A message of a channel; where it is defined by event, `event` tells what `data` is. */
export type MessageOf<Channels, Name extends string> =
  DefinitionOf<Channels, Name> extends { readonly messages: infer Messages }
    ? { [Event in keyof Messages & string]: Message<InputOf<Messages[Event]>, Event> }[keyof Messages &
        string]
    : Message<DataOf<Channels, Name>>;

/** The state of a channel. */
export type StateOf<Channels, Name extends string> =
  DefinitionOf<Channels, Name> extends { readonly state: infer Schema } ? InputOf<Schema> : JsonObject;

/** The application's words about a member who is present on a channel. */
export type InfoOf<Channels, Name extends string> =
  DefinitionOf<Channels, Name> extends { readonly presence: infer Schema } ? InputOf<Schema> : unknown;

/** A JSON Merge Patch of a state: any of its members; `null` removes one that may be missing. */
export type PatchOf<State> = State extends readonly unknown[]
  ? State
  : State extends object
    ? {
        readonly [Key in keyof State]?:
          | PatchOf<NonNullable<State[Key]>>
          | (object extends Pick<State, Key> ? null : never);
      }
    : State;
