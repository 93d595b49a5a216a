/** Made from FanfareSimple.xml by the build. Change that file instead. */
import type { ActionValue, DynamicValue, EditableValue } from "mendix";
import type { CSSProperties } from "react";

export type LoginEnum = "session" | "token";

export interface FanfareSimpleContainerProps {
  name: string;
  class: string;
  style?: CSSProperties;
  tabIndex?: number;
  subscriptionId: DynamicValue<string>;
  message?: EditableValue<string> | undefined;
  onMessage?: ActionValue<{ message: string | undefined; event: string | undefined }> | undefined;
  serverUrl?: DynamicValue<string> | undefined;
  login: LoginEnum;
  token?: DynamicValue<string> | undefined;
  showIndicator: boolean;
  connectedText?: DynamicValue<string> | undefined;
  lostText?: DynamicValue<string> | undefined;
}

export interface FanfareSimplePreviewProps {
  class: string;
  readOnly: boolean;
  subscriptionId: string;
  message: string;
  onMessage: object | null;
  serverUrl: string;
  login: LoginEnum;
  token: string;
  showIndicator: boolean;
  connectedText: string;
  lostText: string;
}
