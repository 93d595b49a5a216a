/**
 * An action of the page that runs for each message: one run after the other, in order. Messages
 * wait while it runs or cannot run yet.
 */
import type { ActionValue } from "mendix";
import type { Warnings } from "./warnings.js";

/** The most runs that wait; beyond it the oldest are left out. */
const MAX_WAITING = 100;
/** An action that does not show by then that it runs is taken to be done. */
const SETTLE_MS = 100;

/** The part of Mendix's ActionValue that we need. */
export interface Runnable<Variables extends object> {
  readonly canExecute: boolean;
  readonly isExecuting: boolean;
  readonly execute: (variables: Variables) => void;
}

/** The variables of actions that have none. */
export const NOTHING = {};

/** An action without variables, which must not be handed any. */
export function plain(action: ActionValue | undefined): Runnable<object> | undefined {
  return (
    action && {
      canExecute: action.canExecute,
      isExecuting: action.isExecuting,
      execute: () => action.execute(),
    }
  );
}

export class Action<Variables extends object> {
  readonly #name: string;
  readonly #warnings: Warnings;
  readonly #waiting: Variables[] = [];
  #runnable: Runnable<Variables> | undefined;
  /** Set from the start of a run until it shows, or is taken to be done. */
  #starting: ReturnType<typeof setTimeout> | undefined;

  /** @param name as the maker sees it, for warnings */
  constructor(name: string, warnings: Warnings) {
    this.#name = name;
    this.#warnings = warnings;
  }

  /** The action as it is now; `undefined` where the maker has set none. */
  update(runnable: Runnable<Variables> | undefined): void {
    this.#runnable = runnable;
    if (runnable?.isExecuting) this.#settled();
    this.#next();
  }

  run(variables: Variables): void {
    if (!this.#runnable) return;
    this.#waiting.push(variables);
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift();
      this.#warnings.once(
        `${this.#name} is slower than the messages come, so some runs are left out. Send less often, or set maxRate in a rule of the server.`,
      );
    }
    this.#next();
  }

  /** Nothing that waits is run any more. */
  clear(): void {
    this.#waiting.length = 0;
    this.#settled();
  }

  #next(): void {
    if (!this.#runnable || this.#starting !== undefined) return;
    const [variables] = this.#waiting;
    if (variables === undefined) return;
    const { canExecute, isExecuting } = this.#runnable;
    if (!canExecute) {
      this.#warnings.once(
        `${this.#name} cannot run now; it runs as soon as it can. Look whether the user may, and whether its parameters have a value.`,
      );
    }
    if (!canExecute || isExecuting) return;
    this.#waiting.shift();
    this.#starting = setTimeout(() => {
      this.#settled();
      this.#next();
    }, SETTLE_MS);
    this.#runnable.execute(variables);
  }

  #settled(): void {
    clearTimeout(this.#starting);
    this.#starting = undefined;
  }
}
