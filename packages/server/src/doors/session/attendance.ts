/** How a subscribing client shows in the presence of a channel: the same for every door. */
import type { ChannelName } from "@fanfare/protocol";
import type { ClientIdentity } from "../../access/client-identity.js";
import type { Principal } from "../../access/grants/principal.js";
import type { Connection } from "../../hub/delivery/connection.js";
import type { Hub } from "../../hub/hub.js";
import type { Attendance, Attendant } from "../../hub/terms/member.js";

/** `undefined` where the rule of the channel has no presence, as most have none. */
export function attendanceOf(
  hub: Hub,
  connection: Connection,
  identity: ClientIdentity,
  channel: ChannelName,
): Attendance | undefined {
  if (!hub.rules.somePresence || !hub.rules.of(channel).presence) return undefined;
  return {
    attendant: attendantOf(identity.principal, connection),
    watches: identity.may("presence", channel),
  };
}

/** All connections of a user are one member. A client without a user is a member with each session, under a name that is no secret. */
function attendantOf(principal: Principal, { publisher }: Connection): Attendant | null {
  switch (principal.kind) {
    case "user": {
      const { user, info } = principal;
      return { id: `user:${user}`, user, ...(info !== undefined && { info }) };
    }
    case "nobody":
      return { id: `session:${publisher}` };
    case "key":
      // Servers listen, but are not present.
      return null;
  }
}
