/** Who publishes and who listens while a server is killed again and again, and what each of them can testify. */
import { WebSocket } from "ws";
import {
  type Client,
  createClient,
  type Gap,
  type Message,
  type Subscribed,
} from "../../packages/client/src/index.js";
import { KEY } from "./server.js";

/** A message that the server acknowledged. */
export interface Acknowledged {
  readonly channel: string;
  readonly epoch: string;
  readonly offset: number;
  readonly data: string;
}

/** Publishes one message after the other until it is told to stop. What it repeats, it repeats with the same key. */
export class Publisher {
  readonly acknowledged: Acknowledged[] = [];
  /** Calls that got no answer, or another than it should have been. */
  unanswered = 0;
  readonly #name: string;
  readonly #url: string;
  readonly #channels: readonly string[];
  readonly #pauseMs: number;
  #stopping = false;
  readonly #done: Promise<void>;

  /** @param pauseMs between two messages, so that listeners can follow */
  constructor(name: string, url: string, channels: readonly string[], pauseMs: number) {
    this.#name = name;
    this.#url = url;
    this.#channels = channels;
    this.#pauseMs = pauseMs;
    this.#done = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    for (let count = 0; !this.#stopping; count++) {
      const channel = this.#channels[count % this.#channels.length] ?? "";
      await this.#publish(channel, `${this.#name} ${count}`, count % 2 === 0);
      await pause(this.#pauseMs);
    }
  }

  async #publish(channel: string, data: string, isKeyed: boolean): Promise<void> {
    for (;;) {
      const position = await this.#post(channel, data, isKeyed);
      if (position) {
        this.acknowledged.push({ channel, data, ...position });
        return;
      }
      this.unanswered++;
      // Without a key nobody can know whether it was appended.
      if (!isKeyed) return;
      await pause(20);
    }
  }

  async #post(channel: string, data: string, isKeyed: boolean) {
    try {
      const response = await fetch(`${this.#url}/channels/${channel}/messages`, {
        method: "POST",
        headers: {
          Authorization: `Bearer ${KEY}`,
          "Content-Type": "application/json",
          ...(isKeyed && { "Idempotency-Key": data }),
        },
        body: JSON.stringify({ data }),
      });
      if (!response.ok) return null;
      const { epoch, offset } = (await response.json()) as { epoch: string; offset: number };
      return { epoch, offset };
    } catch {
      return null;
    }
  }
}

/** Listens from the beginning, and writes down everything it is told. */
export class Listener {
  readonly heard = new Map<string, Message<string>[]>();
  readonly epochs = new Map<string, Set<string>>();
  readonly gaps: Gap[] = [];
  readonly errors: Error[] = [];
  readonly #client: Client;
  #wake = () => {};

  constructor(url: string, channels: readonly string[]) {
    this.#client = createClient({ url, WebSocket, random: () => 0.1 });
    for (const channel of channels) {
      const heard: Message<string>[] = [];
      const epochs = new Set<string>();
      this.heard.set(channel, heard);
      this.epochs.set(channel, epochs);
      this.#client.subscribe<string>(
        channel,
        (message) => {
          heard.push(message);
          this.#wake();
        },
        {
          onSubscribed: ({ position }: Subscribed) => {
            epochs.add(position.epoch);
            this.#wake();
          },
          onGap: (gap) => this.gaps.push(gap),
          onError: (error) => this.errors.push(error),
        },
      );
    }
  }

  /** Waits until it has been told what is to be. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  close(): void {
    this.#client.close();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
