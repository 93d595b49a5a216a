/**
 * Reads packets as Socket.IO's own parser does, but each event brings its envelope: the id by which it is answered, since the hub
 * writes answers, in their place among what else is written; and its size. Binary packets are refused: what is published is JSON.
 */
import { Decoder, Encoder, type Packet, PacketType } from "socket.io-parser";

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

class EnvelopeDecoder extends Decoder {
  #length = 0;

  constructor() {
    super();
    // Listeners are called in their order, so Socket.IO sees what this has made of a packet.
    this.on("decoded", (packet) => this.#enclose(packet));
  }

  override add(data: unknown): void {
    if (typeof data !== "string") throw new TypeError("binary packets are not taken");
    this.#length = data.length;
    super.add(data);
  }

  #enclose(packet: Packet): void {
    if (packet.type !== PacketType.EVENT || !Array.isArray(packet.data)) return;
    packet.data.push(new Envelope(packet.id ?? null, this.#length));
    delete packet.id;
  }
}

export const parser = { Encoder, Decoder: EnvelopeDecoder };
