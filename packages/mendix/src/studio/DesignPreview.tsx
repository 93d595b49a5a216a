/** Both widgets in Studio Pro's design mode: the widget itself where it is visible, else a mark that names it. */
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
