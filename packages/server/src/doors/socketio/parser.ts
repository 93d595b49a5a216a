/**
 * Reads packets as Socket.IO's own parser does, but each event brings its envelope: the id by which it is answered, since the hub
 * writes answers, in their place among what else is written; and its size. Refuses what the parser lets through and this server has no
 * use for, and throws nothing: Socket.IO would close the connection without a word.
 */
import { asError, FanfareError, quote } from "@fanfare/protocol";
import { Decoder, Encoder, type Packet, PacketType } from "socket.io-parser";
import type { Failing } from "../../base/failures.js";

/** Stands at the end of an event's arguments. */
export class Envelope {
  /** `null` where the sender wants no answer. */
  readonly id: number | null;
  /** Characters of the packet. */
  readonly length: number;

  constructor(id: number | null, length: number) {
    this.id = id;
    this.length = length;
  }
}

/** Whose packets are read. */
export interface PacketReader extends Failing {
  /** A packet that can be read. @throws FanfareError when it must not come now */
  packet(packet: Packet): void;
  /** The client sent no packet that this server takes: it has to be closed. */
  malformed(error: FanfareError): void;
}

class EnvelopeDecoder extends Decoder {
  readonly #reader: PacketReader;
  #length = 0;

  constructor(reader: PacketReader) {
    super();
    this.#reader = reader;
    // Listeners are called in their order, so Socket.IO sees what this has made of a packet, and nothing of one that is refused.
    this.on("decoded", (packet) => this.#take(packet));
  }

  override add(data: unknown): void {
    try {
      if (typeof data !== "string" || /^[56]/.test(data)) {
        throw malformed("a packet with binary data", "Send JSON: binary packets are not taken.");
      }
      this.#length = data.length;
      super.add(data);
    } catch (error) {
      this.#reader.malformed(error instanceof FanfareError ? error : unreadable(data, error));
    }
  }

  #take(packet: Packet): void {
    this.#reader.packet(packet);
    if (packet.type !== PacketType.EVENT) return;
    const { data, id = null } = packet;
    // The parser takes an event without data for one that needs no check.
    if (!Array.isArray(data)) {
      throw malformed("an event without data", "Send an array: the event's name, then its arguments.");
    }
    const [event] = data;
    if (typeof event !== "string") {
      throw malformed(`an event whose name is ${quote(String(event), 100)}`, "Name the event by a string.");
    }
    if (id !== null && !Number.isSafeInteger(id)) {
      throw malformed(`an event whose id is ${id}`, "Count acknowledgements from 0 on.");
    }
    data.push(new Envelope(id, this.#length));
    delete packet.id;
  }
}

/** Socket.IO makes a decoder for each connection, and tells it nothing. @param readerOfNext whose connection it makes it for */
export function parserFor(readerOfNext: () => PacketReader): {
  Encoder: typeof Encoder;
  Decoder: new () => Decoder;
} {
  return {
    Encoder,
    Decoder: class extends EnvelopeDecoder {
      constructor() {
        super(readerOfNext());
      }
    },
  };
}

export function malformed(what: string, remedy: string): FanfareError {
  return new FanfareError("invalid_request", `the client sent ${what}`, { remedy });
}

function unreadable(data: unknown, error: unknown): FanfareError {
  const why = asError(error).message;
  return malformed(
    `${quote(String(data), 100)}, which is no packet of Socket.IO: ${quote(why, 100)}`,
    "Use a client of Socket.IO 3 or 4.",
  );
}
