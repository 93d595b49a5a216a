/**
 * Whether anything is read from one client, whatever it sends. There may be several reasons not to; what had been read already when reading
 * stopped is kept, and comes first when it goes on.
 */

/** When publishes of this many bytes have not been acknowledged by the engine, nothing more is read. */
const MAX_UNACKNOWLEDGED = 256 * 1024;

/** The reader. */
export interface Reader<Frame> {
  /** It closes: frames are of no interest any more, and only the closing handshake is read. */
  readonly isClosing: boolean;
  handle(frame: Frame): void;
  /** Nothing is to be read from the socket. */
  stopReading(): void;
  /** The socket is to be read again. */
  readAgain(): void;
}

export class Reading<Frame> {
  readonly #reader: Reader<Frame>;
  /** The rest of one read of the socket; most connections never have any. */
  #held: Frame[] | null = null;
  #asking = false;
  #answersWait = false;
  #unacknowledged = 0;
  /** What follows when all has been done that the client sent; `null` while it may send more. */
  #afterLast: (() => void) | null = null;

  constructor(reader: Reader<Frame>) {
    this.#reader = reader;
  }

  get isStopped(): boolean {
    return this.#asking || this.#answersWait || this.#unacknowledged >= MAX_UNACKNOWLEDGED;
  }

  /** It is being found out who the client is, and which session it has. */
  get isAsking(): boolean {
    return this.#asking;
  }

  set isAsking(asking: boolean) {
    const wasStopped = this.isStopped;
    this.#asking = asking;
    this.#changed(wasStopped);
  }

  /** The client sends nothing more: calls once everything that came has been done, and what it published acknowledged. */
  finish(afterLast: () => void): void {
    this.#afterLast = afterLast;
    this.#lookIfFinished();
  }

  #lookIfFinished(): void {
    const afterLast = this.#afterLast;
    if (!afterLast || this.#held || this.#asking || this.#unacknowledged > 0) return;
    this.#afterLast = null;
    afterLast();
  }

  /** Too many answers wait for the client. */
  set answersWait(wait: boolean) {
    const wasStopped = this.isStopped;
    this.#answersWait = wait;
    this.#changed(wasStopped);
  }

  /** This many bytes of publishes more, or less, have not been acknowledged. */
  publishing(bytes: number): void {
    const wasStopped = this.isStopped;
    this.#unacknowledged += bytes;
    this.#changed(wasStopped);
  }

  /** A frame was read. */
  take(frame: Frame): void {
    if (this.#reader.isClosing) return;
    if (!this.isStopped) {
      this.#reader.handle(frame);
      return;
    }
    this.#held ??= [];
    this.#held.push(frame);
  }

  #changed(wasStopped: boolean): void {
    this.#goOn(wasStopped);
    if (this.#afterLast) this.#lookIfFinished();
  }

  #goOn(wasStopped: boolean): void {
    const reader = this.#reader;
    if (wasStopped === this.isStopped || reader.isClosing) return;
    if (!wasStopped) {
      reader.stopReading();
      return;
    }
    // A frame that was held may be a reason to stop again.
    for (let frame = this.#held?.shift(); frame; frame = this.#held?.shift()) {
      reader.handle(frame);
      if (this.isStopped || reader.isClosing) return;
    }
    this.#held = null;
    reader.readAgain();
  }
}
