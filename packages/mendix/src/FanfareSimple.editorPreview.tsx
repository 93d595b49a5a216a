/** The widget Fanfare Simple in Studio Pro's design mode. */
import type { ReactElement } from "react";
import type { FanfareSimplePreviewProps } from "../typings/FanfareSimpleProps.js";
import css from "./indicator.css?raw";
import { DesignPreview } from "./studio/DesignPreview.js";

export function preview(props: FanfareSimplePreviewProps): ReactElement {
  const { showIndicator, subscriptionId } = props;
  return <DesignPreview class={props.class} showIndicator={showIndicator} channel={subscriptionId} />;
}

export function getPreviewCss(): string {
  return css;
}
