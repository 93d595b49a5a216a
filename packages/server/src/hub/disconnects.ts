/** Sends clients away, on whatever node they are: all nodes are asked, and the one that has the connection ends it. */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Hub } from "./hub.js";
import type { Nodes } from "./nodes.js";

const TOPIC = "disconnect";

export class Disconnects {
  readonly #hub: Hub;
  readonly #nodes: Nodes;

  constructor(hub: Hub, nodes: Nodes) {
    this.#hub = hub;
    this.#nodes = nodes;
    nodes.answer(TOPIC, (id) => typeof id === "string" && this.#here(id));
  }

  /**
   * Ends a connection and its session. False when no node knows it.
   *
   * @throws FanfareError `unavailable`, also when a node did not answer and may have it
   */
  async disconnect(id: string): Promise<boolean> {
    if (this.#here(id)) return true;
    const { answers, silent } = await this.#nodes.ask(TOPIC, id, (answer) => answer === true);
    if (answers.some(({ answer }) => answer === true)) return true;
    const [first] = silent;
    if (!first) return false;
    throw new FanfareError(
      "unavailable",
      `the node ${first.address} did not answer, and may have ${quote(id)}`,
      {
        remedy: "Try again. A node that has ended is forgotten after 15 seconds.",
        retryAfterSeconds: 15,
      },
    );
  }

  #here(id: string): boolean {
    const connection = this.#hub.connections.get(id);
    connection?.subscriber.end("disconnected");
    return connection !== undefined;
  }
}
