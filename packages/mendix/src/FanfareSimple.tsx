/** The widget Fanfare Simple, as Mendix loads it. */
import * as session from "mendix/session";
import { type ReactElement, useEffect, useState } from "react";
import type { FanfareSimpleContainerProps } from "../typings/FanfareSimpleProps.js";
import { connectionsOf } from "./connection/connections.js";
import { csrfToken } from "./connection/csrf.js";
import type { Status } from "./connection/subscriber.js";
import { FanfareSimpleWidget } from "./fanfare-simple-widget.js";
import { Indicator } from "./Indicator.js";

export function FanfareSimple(props: FanfareSimpleContainerProps): ReactElement {
  const [status, setStatus] = useState<Status>("idle");
  const [widget] = useState(
    () =>
      new FanfareSimpleWidget(
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
