/** A Fanfare with typed channels: the same one, of which the compiler knows what each channel carries. */
import type {
  ChannelDefinitions,
  DataOf,
  EventOf,
  InfoOf,
  MessageOf,
  Named,
  NamesOf,
  PatchOf,
  StateOf,
} from "@fanfare/client";
import type { Fanfare } from "../fanfare.js";
import type { History, HistoryMessage, HistoryOptions, Published, PublishOptions } from "../messages.js";
import type { PresenceListOptions, Present } from "../presence-lists.js";
import type { ChangeOptions, HeldState } from "../states.js";

export interface TypedFanfare<Channels extends ChannelDefinitions>
  extends Omit<Fanfare, "publish" | "publishMany" | "history" | "state" | "patch" | "setState" | "presence"> {
  /**
   * As {@link Fanfare.publish}; a name that is not defined, and data that its channel does not carry, do not compile. Where messages
   * are defined by event, the event says what the data is.
   */
  publish<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    data: DataOf<Channels, Name>,
    options?: Omit<PublishOptions, "event">,
  ): Promise<Published>;
  publish<Name extends NamesOf<Channels>, Event extends EventOf<Channels, Name>>(
    channel: Named<Channels, Name>,
    data: DataOf<Channels, Name, Event>,
    options: PublishOptions & { readonly event: Event },
  ): Promise<Published>;
  /** As {@link Fanfare.publishMany}; channels that get one message have to be of one definition. */
  publishMany(
    messages: readonly TypedMessage<Channels>[] | TypedMessageToMany<Channels>,
  ): Promise<Published[]>;
  /** As {@link Fanfare.history}. */
  history<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    options?: HistoryOptions,
  ): Promise<TypedHistory<MessageOf<Channels, Name>>>;
  /** As {@link Fanfare.state}. */
  state<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
  ): Promise<HeldState<StateOf<Channels, Name>> | null>;
  /** As {@link Fanfare.patch}. */
  patch<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    patch: PatchOf<StateOf<Channels, Name>>,
    options?: ChangeOptions,
  ): Promise<Published>;
  /** As {@link Fanfare.setState}. */
  setState<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    state: StateOf<Channels, Name>,
    options?: ChangeOptions,
  ): Promise<Published>;
  /** As {@link Fanfare.presence}. */
  presence<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    options?: PresenceListOptions,
  ): Promise<Present<InfoOf<Channels, Name>>>;
}

type Definitions<Channels> = keyof Channels & string;

/** A message with its channel, of whatever definition. */
export type TypedMessage<Channels> = {
  [Name in Definitions<Channels>]: { readonly channel: NamesOf<Pick<Channels, Name>> } & Payload<
    Channels,
    Name
  >;
}[Definitions<Channels>];

/** The same for many channels of a definition. */
export type TypedMessageToMany<Channels> = {
  [Name in Definitions<Channels>]: {
    readonly channels: readonly NamesOf<Pick<Channels, Name>>[];
  } & Payload<Channels, Name>;
}[Definitions<Channels>];

type Payload<Channels, Name extends string> = {
  [Event in EventOf<Channels, Name>]: (Event extends "message"
    ? { readonly event?: Event }
    : string extends Event
      ? { readonly event?: string }
      : { readonly event: Event }) & { readonly data: DataOf<Channels, Name, Event>; readonly key?: string };
}[EventOf<Channels, Name>];

/** A history whose messages are those of a definition. */
export interface TypedHistory<Message> extends Omit<History, "messages"> {
  readonly messages: readonly HeldMessage<Message>[];
}

/** Each kind of message by itself, so that `event` tells what `data` is. */
type HeldMessage<Message> = Message extends { readonly event: infer Event; readonly data: infer Data }
  ? Omit<HistoryMessage, "event" | "data"> & { readonly event: Event; readonly data: Data }
  : never;
