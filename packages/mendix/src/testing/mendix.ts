/** What Mendix's client hands to widgets, as tests need it: values, attributes and actions. */
import type { Big } from "big.js";
import type { DynamicValue, EditableValue, ObjectItem, ValueStatus } from "mendix";
import type { AttributeValue } from "../message/convert.js";

// The types of Mendix have them as a constant enumeration, which exists for its own compiler only.
const AVAILABLE = "available" as ValueStatus.Available;
const LOADING = "loading" as ValueStatus.Loading;
const UNAVAILABLE = "unavailable" as ValueStatus.Unavailable;

export function available<Value>(value: Value): DynamicValue<Value> {
  return { status: AVAILABLE, value };
}

/** Loading, with the value that was there before. */
export function loading<Value>(value?: Value): DynamicValue<Value> {
  return { status: LOADING, value };
}

export function unavailable<Value>(): DynamicValue<Value> {
  return { status: UNAVAILABLE, value: undefined };
}

export function object(id: string): ObjectItem {
  return { id: id as ObjectItem["id"] };
}

/** An attribute of the page. `props` is what a widget gets at this moment. */
export class FakeAttribute<Value extends AttributeValue> {
  value: Value | undefined;
  status: "available" | "loading" | "unavailable" = "available";
  readOnly = false;
  /** All that it was set to, in order. */
  readonly sets: (Value | undefined)[] = [];
  /** Told when it was set: the page shows itself anew. */
  onSet: () => void = () => {};
  readonly #type: "number" | "datetime" | undefined;
  readonly #universe: Value[] | undefined;

  /** @param universe all values that there are, for Boolean and enumerations */
  constructor(value: Value | undefined, type?: "number" | "datetime", universe?: Value[]) {
    this.value = value;
    this.#type = type;
    this.#universe = universe;
  }

  get props(): EditableValue<Value> {
    const shown = {
      status: this.status,
      readOnly: this.readOnly || this.status !== "available",
      value: this.status === "unavailable" ? undefined : this.value,
      formatter: { type: this.#type },
      universe: this.#universe,
      validation: undefined,
      displayValue: String(this.value),
      isList: false,
      setValue: (value: Value | undefined) => {
        if (this.readOnly) throw new Error("The attribute is read-only.");
        this.sets.push(value);
        this.value = value;
        this.onSet();
      },
    };
    return shown as unknown as EditableValue<Value>;
  }
}

export type AnyAttribute =
  | FakeAttribute<string>
  | FakeAttribute<Big>
  | FakeAttribute<boolean>
  | FakeAttribute<Date>;

export const text = (value?: string) => new FakeAttribute<string>(value);
export const number = (value?: Big) => new FakeAttribute<Big>(value, "number");
export const boolean = (value = false) => new FakeAttribute<boolean>(value, undefined, [true, false]);
export const date = (value?: Date) => new FakeAttribute<Date>(value, "datetime");
export const enumeration = (universe: string[], value?: string) =>
  new FakeAttribute<string>(value, undefined, universe);

/** An action of the page. */
export class FakeAction<Variables extends object = never> {
  canExecute = true;
  isExecuting = false;
  /** How often it was run. */
  count = 0;
  /** What it was run with, in order. */
  readonly runs: Variables[] = [];
  /** Told what it was run with, if with anything. */
  onRun: (variables: Variables | undefined) => void = () => {};

  get props() {
    const { canExecute, isExecuting } = this;
    const execute = (...given: Variables[]) => {
      this.count++;
      this.runs.push(...given);
      this.onRun(given[0]);
    };
    return { canExecute, isExecuting, execute };
  }
}
