/** The widget on the page: invisible, or a small dot that shows whether updates arrive. */
import type { DynamicValue } from "mendix";
import type { CSSProperties, ReactElement } from "react";
import type { Status } from "./connection/subscriber.js";

interface Props {
  readonly class: string;
  readonly style?: CSSProperties;
  readonly showIndicator: boolean;
  readonly connectedText?: DynamicValue<string> | undefined;
  readonly lostText?: DynamicValue<string> | undefined;
  readonly status: Status;
}

export function Indicator({ status, showIndicator, ...props }: Props): ReactElement {
  if (!showIndicator)
    return <span className={props.class} style={props.style} data-fanfare={status} hidden />;
  // Until something is known, it is not said that something is wrong.
  const isWrong = status === "lost" || status === "refused";
  const text = (isWrong ? props.lostText : props.connectedText)?.value ?? "";
  return (
    <span
      className={`fanfare-indicator ${props.class}`}
      style={props.style}
      data-fanfare={status}
      role="status"
      title={text}
    >
      <span className="fanfare-indicator__text">{status === "live" || isWrong ? text : ""}</span>
    </span>
  );
}
