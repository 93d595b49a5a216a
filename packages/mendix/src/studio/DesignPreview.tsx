/** What both widgets show in Studio Pro's design mode: themselves where they are seen, else a mark that says what they are. */
import type { ReactElement } from "react";
import { Indicator } from "../Indicator.js";

interface Props {
  readonly class: string;
  readonly showIndicator: boolean;
  readonly channel: string;
}

export function DesignPreview({ channel, ...props }: Props): ReactElement {
  if (props.showIndicator) return <Indicator {...props} status="live" />;
  return <span className={`fanfare-mark ${props.class}`}>Fanfare: {channel}</span>;
}
