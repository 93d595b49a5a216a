/**
 * Encodes the words of the hub as bytes of this protocol: each packet of Socket.IO in a WebSocket frame of its own, made once and shared by
 * all clients. For those who poll, the texts are taken out of the frames again.
 */
import { type ChannelName, type FanfareError, formatPosition, type Position } from "@fanfare/protocol";
import type { Message } from "../../engine/engine.js";
import { feathersErrorOf } from "../../feathers/feathers-error.js";
import type { Services } from "../../feathers/services.js";
import type { Encoding, PresenceNews } from "../../hub/terms/subscriber.js";
import { presenceFields } from "../presence-fields.js";
import { textFrame } from "../rfc6455/frame.js";
import type { ClientEncoding } from "../session/transport.js";

/** The `id` of a request whose sender wants no answer. */
export const NO_ANSWER = -1;

/** Separates packets in what is polled (Engine.IO 4). JSON never holds it as it is. */
const SEPARATOR = "\x1e";
/** A message of Engine.IO, and in it an event, or the answer to one, of Socket.IO. */
const EVENT = "42";
const ACK = "43";
const NOTHING = new Uint8Array(0);

/** @param json the arguments as JSON texts */
export function eventFrame(event: string, ...json: readonly string[]): Uint8Array {
  return textFrame(`${EVENT}[${[JSON.stringify(event), ...json].join()}]`);
}

/** @param json what the callback is called with, as JSON texts */
export function ackFrame(id: number, ...json: readonly string[]): Uint8Array {
  return id === NO_ANSWER ? NOTHING : textFrame(`${ACK}${id}[${json.join()}]`);
}

/** The same error everywhere, in the form that Feathers knows. */
export function errorJson(error: FanfareError): string {
  return JSON.stringify(feathersErrorOf(error));
}

/** Where something stands, for answers. */
export function positionJson(channel: ChannelName, { epoch, offset }: Position): string {
  return JSON.stringify({ channel, epoch, offset, position: formatPosition({ epoch, offset }) });
}

export class SocketIoEncoding implements ClientEncoding {
  readonly grants = eventFrame("grants", "{}");
  readonly #services: Services;

  constructor(services: Services) {
    this.#services = services;
  }

  /** In the channels of a service an event is called as Feathers calls it; the position comes with each. */
  message(message: Message): Uint8Array {
    const { channel, offset, time, event, json, user, id } = message;
    const position = `"${formatPosition(message)}"`;
    const service = this.#services.of(channel);
    if (service) return eventFrame(`${service.settings.name} ${event}`, json, position);
    const around = JSON.stringify({ channel, offset, time, event, user, id });
    return eventFrame("message", `${around.slice(0, -1)},"data":${json}}`, position);
  }

  gap(gap: Parameters<Encoding["gap"]>[0]): Uint8Array {
    return eventFrame("gap", JSON.stringify(gap));
  }

  state({ channel, from, offset, change, json }: Parameters<Encoding["state"]>[0]): Uint8Array {
    return eventFrame(
      "state",
      `{"channel":"${channel}","from":${from},"offset":${offset},"${change}":${json}}`,
    );
  }

  presence(news: PresenceNews): Uint8Array {
    return eventFrame("presence", `{${presenceFields(news)}}`);
  }

  subscribed({ request, state, presence, ...answer }: Parameters<Encoding["subscribed"]>[0]): Uint8Array {
    const text = JSON.stringify({ ...answer, position: formatPosition(answer) }).slice(0, -1);
    const stateText = state === undefined ? "" : `,"state":${state}`;
    const presenceText = presence === undefined ? "" : `,"presence":${presence}`;
    const json = `${text}${stateText}${presenceText}}`;
    return isAnswered(request) ? ackFrame(request, json) : eventFrame("subscribed", json);
  }

  refused(request: number | undefined, channel: string, error: FanfareError): Uint8Array {
    const json = `{"channel":${JSON.stringify(channel)},"error":${errorJson(error)}}`;
    return isAnswered(request) ? ackFrame(request, json) : eventFrame("refused", json);
  }

  done(request: number): Uint8Array {
    return ackFrame(request, "{}");
  }

  unsubscribed(channel: ChannelName, error: FanfareError): Uint8Array {
    return eventFrame("unsubscribed", `{"channel":"${channel}","error":${errorJson(error)}}`);
  }
}

/** The texts of some frames as an Engine.IO client that polls is given them, without the type of the first. */
export function polledText(frames: Uint8Array): string {
  const bytes = Buffer.from(frames.buffer, frames.byteOffset, frames.byteLength);
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes.readUInt8(at + 1);
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length =
      header === 2 ? short : bytes.readUIntBE(at + header - (header === 4 ? 2 : 6), header === 4 ? 2 : 6);
    texts.push(bytes.toString("utf8", at + header, at + header + length));
    at += header + length;
  }
  return texts.join(SEPARATOR).slice(1);
}

function isAnswered(request: number | undefined): request is number {
  return request !== undefined && request !== NO_ANSWER;
}
