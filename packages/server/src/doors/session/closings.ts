/** Why the server ends sessions: each reason with its close code and its error, the same at every door. */
import { CLOSE, FanfareError } from "@fanfare/protocol";
import type { EndReason } from "../../hub/terms/subscriber.js";
import type { Closing } from "./transport.js";

const ENDS: Readonly<Record<EndReason, Closing>> = {
  resumed_elsewhere: {
    close: CLOSE.resumedElsewhere,
    error: new FanfareError("unavailable", "this session goes on in a newer connection"),
  },
  disconnected: {
    close: CLOSE.disconnected,
    error: new FanfareError("forbidden", "an administrator ended this connection"),
  },
  too_slow: {
    close: CLOSE.tryAgainLater,
    error: new FanfareError("unavailable", "too slow: no room for what waits for this client"),
  },
};

/** The server made a mistake. */
export const FAILED: Closing = {
  close: CLOSE.internal,
  error: new FanfareError("internal", "the server made a mistake; its log says why"),
};

/** The hub ends the connection. */
export function endOf(reason: EndReason): Closing {
  return ENDS[reason];
}

/** The server stops. @param retryAfterSeconds seconds */
export function restart(retryAfterSeconds: number): Closing {
  const error = new FanfareError("unavailable", "the server stops or restarts", { retryAfterSeconds });
  return { close: CLOSE.restart, error };
}

/** The client may not be here, or not any more, for this reason. */
export function notAccepted(error: FanfareError): Closing {
  if (error.code === "rate_limited") return { close: CLOSE.tooFast, error };
  return { close: error.code === "not_logged_in" ? CLOSE.notLoggedIn : CLOSE.tryAgainLater, error };
}

/** The client was refused too often. @param last what it was refused last */
export function refusedTooOften({ code, message, remedy }: FanfareError): Closing {
  const error = new FanfareError(code, `refused too often in a minute: ${message}`, { remedy });
  return { close: CLOSE.notAllowed, error };
}
