/** The widget Fanfare in Studio Pro's design mode. */
import type { ReactElement } from "react";
import type { FanfarePreviewProps } from "../typings/FanfareProps.js";
import css from "./indicator.css?raw";
import { DesignPreview } from "./studio/DesignPreview.js";

export function preview(props: FanfarePreviewProps): ReactElement {
  const { channelBy, channelName, objectPrefix } = props;
  const channel = channelBy === "object" ? `${objectPrefix}…` : channelName;
  return <DesignPreview class={props.class} showIndicator={props.showIndicator} channel={channel} />;
}

export function getPreviewCss(): string {
  return css;
}
