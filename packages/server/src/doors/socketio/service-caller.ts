/** A client session, as the services of Feathers see their caller. */
import type { ServiceCaller } from "../../feathers/service.js";
import type { ClientSession } from "../session/client-session.js";

/** The caller of one call. */
export function serviceCaller(session: ClientSession): ServiceCaller {
  const permit = session.actingOnMany();
  return {
    texts: false,
    publisher: session.publisher,
    permit,
    allow(action, channel) {
      // A client of Feathers logs in when it is told so.
      session.identity.allow(action, channel, "not_logged_in");
      // Services read, publish and patch.
      if (action === "history") session.countRead();
      else session.countPublish();
      permit.allowed(action, channel);
    },
    may: (action, channel) => session.identity.may(action, channel),
    hasRead: (work) => session.hasRead(work),
  };
}
