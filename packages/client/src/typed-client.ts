/** The client of an application with typed channels: the same client, of which the compiler knows what each channel carries. */

import type { Client } from "./client-types.js";
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
} from "./define-channels.js";
import type { Gap, PatchOptions, Position, PublishOptions, SubscribeOptions, Subscription } from "./types.js";

export interface TypedClient<Channels extends ChannelDefinitions>
  extends Omit<Client, "subscribe" | "messages" | "publish" | "patch"> {
  /** As {@link Client.subscribe}; a name that is not defined does not compile. */
  subscribe<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    handler: (message: MessageOf<Channels, Name>) => void,
    options?: SubscribeOptions<StateOf<Channels, Name>, InfoOf<Channels, Name>>,
  ): Subscription<StateOf<Channels, Name>, InfoOf<Channels, Name>>;
  /** As {@link Client.messages}. */
  messages<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    options?: Pick<SubscribeOptions, "since">,
  ): AsyncIterableIterator<MessageOf<Channels, Name> | Gap>;
  /** As {@link Client.publish}; where messages are defined by event, the event says what the data is. */
  publish<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    data: DataOf<Channels, Name>,
    options?: Omit<PublishOptions, "event">,
  ): Promise<Position>;
  publish<Name extends NamesOf<Channels>, Event extends EventOf<Channels, Name>>(
    channel: Named<Channels, Name>,
    data: DataOf<Channels, Name, Event>,
    options: PublishOptions & { readonly event: Event },
  ): Promise<Position>;
  /** As {@link Client.patch}. */
  patch<Name extends NamesOf<Channels>>(
    channel: Named<Channels, Name>,
    patch: PatchOf<StateOf<Channels, Name>>,
    options?: PatchOptions,
  ): Promise<Position>;
}
