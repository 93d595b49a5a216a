/** Made from Fanfare.xml by the build. Change that file instead. */
import type { Big } from "big.js";
import type { ActionValue, DynamicValue, EditableValue, ObjectItem } from "mendix";
import type { CSSProperties } from "react";

export type ChannelByEnum = "object" | "name";

export type LoginEnum = "session" | "token";

export interface AttributesType {
  key: string;
  attribute: EditableValue<string | Big | boolean | Date>;
}

export interface HandlersType {
  event: string;
  action?: ActionValue<{ event: string | undefined; payload: string | undefined; offset: Big | undefined }> | undefined;
}

export interface AttributesPreviewType {
  key: string;
  attribute: string;
}

export interface HandlersPreviewType {
  event: string;
  action: object | null;
}

export interface FanfareContainerProps {
  name: string;
  class: string;
  style?: CSSProperties;
  tabIndex?: number;
  channelBy: ChannelByEnum;
  messageObject?: DynamicValue<ObjectItem> | undefined;
  objectPrefix: string;
  channelName?: DynamicValue<string> | undefined;
  serverUrl?: DynamicValue<string> | undefined;
  login: LoginEnum;
  token?: DynamicValue<string> | undefined;
  text1?: EditableValue<string> | undefined;
  text2?: EditableValue<string> | undefined;
  text3?: EditableValue<string> | undefined;
  progress?: EditableValue<Big> | undefined;
  busy?: EditableValue<boolean> | undefined;
  value?: EditableValue<Big> | undefined;
  datetime?: EditableValue<Date> | undefined;
  present?: EditableValue<Big> | undefined;
  presentUsers?: EditableValue<string> | undefined;
  attributes: AttributesType[];
  onReceive?: ActionValue<{ event: string | undefined; payload: string | undefined; offset: Big | undefined }> | undefined;
  handlers: HandlersType[];
  onSubscribed?: ActionValue | undefined;
  onMissed?: ActionValue<{ reason: string | undefined }> | undefined;
  onLost?: ActionValue<{ reason: string | undefined }> | undefined;
  onRefused?: ActionValue<{ code: string | undefined; reason: string | undefined }> | undefined;
  onPresence?: ActionValue<{ count: Big | undefined; joined: string | undefined; left: string | undefined }> | undefined;
  onLeave?: ActionValue | undefined;
  showIndicator: boolean;
  connectedText?: DynamicValue<string> | undefined;
  lostText?: DynamicValue<string> | undefined;
}

export interface FanfarePreviewProps {
  class: string;
  readOnly: boolean;
  channelBy: ChannelByEnum;
  messageObject: object | null;
  objectPrefix: string;
  channelName: string;
  serverUrl: string;
  login: LoginEnum;
  token: string;
  text1: string;
  text2: string;
  text3: string;
  progress: string;
  busy: string;
  value: string;
  datetime: string;
  present: string;
  presentUsers: string;
  attributes: AttributesPreviewType[];
  onReceive: object | null;
  handlers: HandlersPreviewType[];
  onSubscribed: object | null;
  onMissed: object | null;
  onLost: object | null;
  onRefused: object | null;
  onPresence: object | null;
  onLeave: object | null;
  showIndicator: boolean;
  connectedText: string;
  lostText: string;
}
