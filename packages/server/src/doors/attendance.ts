/** What a client who subscribes is to those who are present: the same for every door. */
import type { ChannelName } from "@fanfare/protocol";
import type { Principal } from "../access/principal.js";
import type { Visit } from "../access/visit.js";
import type { Connection } from "../hub/connection.js";
import type { Hub } from "../hub/hub.js";
import type { Attendance, Attendant } from "../hub/presence/member.js";

/** `undefined` where the rule of the channel has no presence, as most have none. */
export function attendanceOf(
  hub: Hub,
  connection: Connection,
  visit: Visit,
  channel: ChannelName,
): Attendance | undefined {
  if (!hub.rules.somePresence || !hub.rules.of(channel).presence) return undefined;
  return {
    attendant: attendantOf(visit.principal, connection),
    watches: visit.may("presence", channel),
  };
}

/** All connections of a user are one member. Who has no user is one with each session, under a name that is no secret. */
function attendantOf(principal: Principal, { publisher }: Connection): Attendant | null {
  switch (principal.kind) {
    case "user": {
      const { user, info } = principal;
      return { id: `user:${user}`, user, ...(info !== undefined && { info }) };
    }
    case "nobody":
      return { id: `session:${publisher}` };
    case "key":
      // Servers listen, but are nobody to be met.
      return null;
  }
}
