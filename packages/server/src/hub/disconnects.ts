/** Sends clients away, on whatever node they are: the others are asked by signal, and the one that has it answers. */
import type { Timer } from "../clock.js";
import type { Hub } from "./hub.js";

const ASK_TOPIC = "connection.disconnect";
const DONE_TOPIC = "connection.disconnected";
/** Without an answer for so long, no node has the connection. */
const ANSWER_WITHIN_MS = 500;

export class Disconnects {
  readonly #hub: Hub;
  /** Questions that wait for an answer, by the connection's name. */
  readonly #asked = new Map<string, Set<(found: boolean) => void>>();
  readonly #stopListening: readonly (() => void)[];

  constructor(hub: Hub) {
    this.#hub = hub;
    const { engine } = hub;
    this.#stopListening = [
      engine.onSignal(ASK_TOPIC, (json) => {
        // An answer that gets lost is a 404 for a connection that is gone: no harm.
        if (this.#here(idIn(json))) engine.signal(DONE_TOPIC, json).catch(() => {});
      }),
      engine.onSignal(DONE_TOPIC, (json) => {
        for (const answer of this.#asked.get(idIn(json)) ?? []) answer(true);
      }),
    ];
  }

  /**
   * Ends a connection and its session. False when no node knows it.
   *
   * @throws FanfareError `unavailable`
   */
  async disconnect(id: string): Promise<boolean> {
    if (this.#here(id)) return true;
    const asked = this.#asked.get(id) ?? new Set();
    this.#asked.set(id, asked);
    let timer: Timer | undefined;
    let settle: (found: boolean) => void = () => {};
    try {
      const found = new Promise<boolean>((resolve) => {
        settle = resolve;
      });
      asked.add(settle);
      timer = this.#hub.clock.after(ANSWER_WITHIN_MS, () => settle(false));
      await this.#hub.engine.signal(ASK_TOPIC, JSON.stringify(id));
      return await found;
    } finally {
      timer?.cancel();
      asked.delete(settle);
      if (asked.size === 0) this.#asked.delete(id);
    }
  }

  close(): void {
    for (const stop of this.#stopListening) stop();
    for (const asked of this.#asked.values()) for (const answer of asked) answer(false);
  }

  #here(id: string): boolean {
    const connection = this.#hub.connections.get(id);
    connection?.subscriber.end("disconnected");
    return connection !== undefined;
  }
}

function idIn(json: string): string {
  const id: unknown = JSON.parse(json);
  return typeof id === "string" ? id : "";
}
