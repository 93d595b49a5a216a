/** The page's handlers of what the client tells. */
import { reportError } from "./listener.js";
import type { ClientEvents } from "./types.js";

type Handler<Name extends keyof ClientEvents> = (value: ClientEvents[Name]) => void;

export class Handlers {
  readonly #of: { [Name in keyof ClientEvents]: Set<Handler<Name>> } = {
    state: new Set(),
    gap: new Set(),
    error: new Set(),
    queue: new Set(),
  };

  /** @returns what ends it */
  on<Name extends keyof ClientEvents>(event: Name, handler: Handler<Name>): () => void {
    this.#of[event].add(handler);
    return () => void this.#of[event].delete(handler);
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
      try {
        handler(value);
      } catch (error) {
        reportError(error);
      }
    }
    return handlers.length > 0;
  }
}
