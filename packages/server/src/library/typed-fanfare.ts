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
import type { HeldState, Published } from "@fanfare/protocol";
import type { Fanfare } from "./fanfare.js";
import type { History, HistoryMessage, HistoryOptions, PublishOptions } from "./messages.js";
import type { FanfarePresence, PresenceListOptions, Present } from "./presence.js";
import type { ChangeOptions, FanfareStates } from "./states.js";

export interface TypedFanfare<Channels extends ChannelDefinitions>
  extends Omit<Fanfare, "publish" | "publishMany" | "history" | "states" | "presence"> {
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
  readonly states: TypedStates<Channels>;
  readonly presence: TypedPresence<Channels>;
}

export interface TypedStates<Channels extends ChannelDefinitions> extends Pick<FanfareStates, "remove"> {
  /** As {@link FanfareStates.get}. */
  get<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
  ): Promise<HeldState<StateOf<Channels, Name>> | null>;
  /** As {@link FanfareStates.patch}. */
  patch<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    patch: PatchOf<StateOf<Channels, Name>>,
    options?: ChangeOptions,
  ): Promise<Published>;
  /** As {@link FanfareStates.set}. */
  set<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    state: StateOf<Channels, Name>,
    options?: ChangeOptions,
  ): Promise<Published>;
}

export interface TypedPresence<Channels extends ChannelDefinitions> extends Pick<FanfarePresence, "count"> {
  /** As {@link FanfarePresence.list}. */
  list<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    options?: PresenceListOptions,
  ): Promise<Present<InfoOf<Channels, Name>>>;
}

type Definitions<Channels> = keyof Channels & string;

/** A message with its channel, of whatever definition. */
type TypedMessage<Channels> = {
  [Name in Definitions<Channels>]: { readonly channel: NamesOf<Pick<Channels, Name>> } & Payload<
    Channels,
    Name
  >;
}[Definitions<Channels>];

/** The same for many channels of a definition. */
type TypedMessageToMany<Channels> = {
  [Name in Definitions<Channels>]: {
    readonly channels: readonly NamesOf<Pick<Channels, Name>>[];
  } & Payload<Channels, Name>;
}[Definitions<Channels>];

type Payload<Channels, Name extends string> = {
  [Event in EventOf<Channels, Name>]: (Event extends "message"
    ? { readonly event?: Event }
    : string extends Event
      ? { readonly event?: string }
      : { readonly event: Event }) & { readonly data: DataOf<Channels, Name, Event>; readonly id?: string };
}[EventOf<Channels, Name>];

/** A history whose messages are those of a definition. */
export interface TypedHistory<Message> extends Omit<History, "messages"> {
  readonly messages: readonly HeldMessage<Message>[];
}

/** Each kind of message by itself, so that `event` tells what `data` is. */
type HeldMessage<Message> = Message extends { readonly event: infer Event; readonly data: infer Data }
  ? Omit<HistoryMessage, "event" | "data"> & { readonly event: Event; readonly data: Data }
  : never;
