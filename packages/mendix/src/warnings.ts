/** Warnings for app makers in the browser's console, each once per widget. */

/** The most different warnings that are remembered; beyond it nothing new is said. */
const MAX_WARNINGS = 100;

export class Warnings {
  readonly #widget: string;
  readonly #said = new Set<string>();

  /** @param widget its name in Studio Pro */
  constructor(widget: string) {
    this.#widget = widget;
  }

  once(text: string): void {
    if (this.#said.has(text) || this.#said.size >= MAX_WARNINGS) return;
    this.#said.add(text);
    console.warn(`Fanfare (${this.#widget}): ${text}`);
  }
}
