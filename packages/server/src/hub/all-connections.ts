/** The connections of all nodes: lists them, looks at one, and sends a client away, on whatever node it is. */
import { FanfareError, quote } from "@fanfare/protocol";
import { FirstNames } from "../engine/first-names.js";
import {
  type ConnectionDiagnostics,
  connectionDiagnostics,
  type SubscriptionDiagnostics,
  subscriptionDiagnostics,
} from "./diagnostics.js";
import type { Hub } from "./hub.js";
import type { NodeInfo, Nodes } from "./nodes.js";

const LIST = "connections";
const LOOK = "connection";
const DISCONNECT = "disconnect";

/** A connection, and the machine and process that has it. */
export interface ListedConnection extends ConnectionDiagnostics {
  readonly node: string;
}

export interface LookedAt extends ListedConnection {
  readonly channels: readonly SubscriptionDiagnostics[];
}

export interface ConnectionList {
  /** In the order of their names. */
  readonly connections: readonly ListedConnection[];
  /** Give it as `after` for the next page; `null` when this is the last. */
  readonly next: string | null;
  /** The machines and processes that did not answer within a second. */
  readonly silent: readonly string[];
}

/** The question of a list. */
interface Wanted {
  readonly after: string | null;
  readonly limit: number;
}

export class AllConnections {
  readonly #hub: Hub;
  readonly #nodes: Nodes;

  constructor(hub: Hub, nodes: Nodes) {
    this.#hub = hub;
    this.#nodes = nodes;
    nodes.answer(LIST, (wanted) => this.#first(wanted as Wanted));
    nodes.answer(LOOK, (id) => this.#looked(String(id)));
    nodes.answer(DISCONNECT, (id) => this.#end(String(id)));
  }

  /** @param limit 1 or more @throws FanfareError `unavailable` */
  async list(after: string | null, limit: number): Promise<ConnectionList> {
    const wanted: Wanted = { after, limit: limit + 1 };
    const { answers, silent } = await this.#nodes.ask(LIST, wanted);
    const found = answers
      .flatMap(({ answer }) => answer as readonly ListedConnection[])
      .sort((a, b) => (a.connection < b.connection ? -1 : 1));
    const connections = found.slice(0, limit);
    const next = found.length > limit ? (connections.at(-1)?.connection ?? null) : null;
    return { connections, next, silent: silent.map(({ address }) => address) };
  }

  /**
   * `null` when no node has it.
   *
   * @throws FanfareError `unavailable`, also when a node did not answer and may have it
   */
  async look(id: string): Promise<LookedAt | null> {
    const found = this.#looked(id) ?? (await this.#askForOne(LOOK, id, (answer) => answer !== null));
    return found as LookedAt | null;
  }

  /**
   * Ends a connection and its session. False when no node has it.
   *
   * @throws FanfareError `unavailable`, also when a node did not answer and may have it
   */
  async disconnect(id: string): Promise<boolean> {
    return this.#end(id) || (await this.#askForOne(DISCONNECT, id, (answer) => answer === true)) !== null;
  }

  /** The answer of the node that has the connection; `null` when none has it. */
  async #askForOne(topic: string, id: string, isIt: (answer: unknown) => boolean): Promise<unknown> {
    const { answers, silent } = await this.#nodes.ask(topic, id, isIt);
    const found = answers.find(({ answer }) => isIt(answer));
    if (found) return found.answer;
    const [first] = silent;
    if (first) throw mayHaveIt(first, id);
    return null;
  }

  async #first({ after, limit }: Wanted): Promise<ListedConnection[]> {
    const names = new FirstNames(limit);
    const { connections, slices } = this.#hub;
    await slices.each(connections.ids(), (name) => {
      if (after === null || name > after) names.offer(name);
    });
    return names.take().flatMap((name) => {
      const connection = connections.get(name);
      return connection ? [{ ...connectionDiagnostics(connection), node: this.#nodes.address }] : [];
    });
  }

  #looked(id: string): LookedAt | null {
    const connection = this.#hub.connections.get(id);
    if (!connection) return null;
    const channels = subscriptionDiagnostics(connection);
    return { ...connectionDiagnostics(connection), node: this.#nodes.address, channels };
  }

  #end(id: string): boolean {
    const connection = this.#hub.connections.get(id);
    connection?.subscriber.end("disconnected");
    return connection !== undefined;
  }
}

function mayHaveIt({ address }: NodeInfo, id: string): FanfareError {
  return new FanfareError("unavailable", `the node ${address} did not answer, and may have ${quote(id)}`, {
    remedy: "Try again. A node that has ended is forgotten after 15 seconds.",
    retryAfterSeconds: 15,
  });
}
