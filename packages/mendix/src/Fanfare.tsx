/** The widget Fanfare, as Mendix loads it. */
import * as session from "mendix/session";
import { type ReactElement, useEffect, useState } from "react";
import type { FanfareContainerProps } from "../typings/FanfareProps.js";
import { connectionsOf } from "./connection/connections.js";
import { csrfToken } from "./connection/csrf.js";
import type { Status } from "./connection/subscriber.js";
import { FanfareWidget } from "./fanfare-widget.js";
import { Indicator } from "./Indicator.js";

export function Fanfare(props: FanfareContainerProps): ReactElement {
  const [status, setStatus] = useState<Status>("idle");
  const [widget] = useState(
    () =>
      new FanfareWidget(
        props.name,
        connectionsOf(window, () => csrfToken(session, window.mx)),
      ),
  );
  useEffect(() => {
    widget.onStatus = setStatus;
    return () => widget.stop();
  }, [widget]);
  // Attributes and actions are new objects whenever anything about them has changed.
  useEffect(() => widget.update(props));
  return <Indicator {...props} status={status} />;
}
