/** The page's handlers of what the client tells. */
import { shown } from "@fanfare/protocol";
import { checkHandler } from "./checks.js";
import { ClientError } from "./client-error.js";
import { callPage } from "./listener.js";
import type { ClientEvents } from "./types.js";

type Handler<Name extends keyof ClientEvents> = (value: ClientEvents[Name]) => void;

export class Handlers {
  readonly #of: { [Name in keyof ClientEvents]: Set<Handler<Name>> } = {
    connection: new Set(),
    gap: new Set(),
    error: new Set(),
    queue: new Set(),
  };

  /** @returns what ends it. @throws ClientError `invalid_request` when there is no such event */
  on<Name extends keyof ClientEvents>(event: Name, handler: Handler<Name>): () => void {
    if (!Object.hasOwn(this.#of, event)) {
      throw new ClientError(
        "invalid_request",
        `${shown(event)} is no event of a client`,
        `Use ${Object.keys(this.#of).join(", ")}; messages come to the handler of subscribe.`,
      );
    }
    checkHandler(handler);
    const handlers = this.#of[event];
    handlers.add(handler);
    return () => void handlers.delete(handler);
  }

  /**
   * Tells all handlers of an event, as long as it is still so.
   *
   * @returns whether there are any
   */
  tell<Name extends keyof ClientEvents>(
    event: Name,
    value: ClientEvents[Name],
    isSo: () => boolean = () => true,
  ): boolean {
    const handlers = [...this.#of[event]];
    for (const handler of handlers) {
      if (!isSo()) break;
      callPage(() => handler(value));
    }
    return handlers.length > 0;
  }
}
