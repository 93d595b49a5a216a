/**
 * Sets attributes to what messages say. Values wait while their attribute is loading. Values that it cannot take are left out,
 * with one warning. Knows no channels.
 */
import { asError } from "@fanfare/protocol";
import type { EditableValue } from "mendix";
import type { Warnings } from "../warnings.js";
import type { AttributeValue, Convert } from "./convert.js";

/** A part of the message, and the attribute that takes it. */
export interface Slot {
  /** Its name in the message. */
  readonly key: string;
  readonly isLoading: boolean;
  /** Why it cannot be set now; `null` when it can. */
  readonly hindrance: string | null;
  /** False when the value cannot be of the attribute's type. */
  set(value: unknown): boolean;
}

export function slot<Value extends AttributeValue>(
  key: string,
  attribute: EditableValue<Value>,
  convert: Convert<Value>,
): Slot {
  const status = `${attribute.status}`;
  return {
    key,
    isLoading: status === "loading",
    hindrance: status === "unavailable" ? "has no object" : attribute.readOnly ? "is read-only" : null,
    set(value) {
      const converted = convert(value);
      if (converted) attribute.setValue(converted.value);
      return converted !== null;
    },
  };
}

export class Attributes {
  readonly #warnings: Warnings;
  #slots: readonly Slot[] = [];
  /** The newest values that came while attributes were loading, by key. */
  readonly #waiting = new Map<string, unknown>();

  constructor(warnings: Warnings) {
    this.#warnings = warnings;
  }

  /** The attributes as they are now. */
  update(slots: readonly Slot[]): void {
    this.#slots = slots;
    for (const each of slots) {
      if (each.isLoading || !this.#waiting.has(each.key)) continue;
      const value = this.#waiting.get(each.key);
      this.#waiting.delete(each.key);
      this.#set(each, value);
    }
  }

  /** Sets those that the message names. */
  set(data: unknown): void {
    if (typeof data !== "object" || data === null || Array.isArray(data)) return;
    const members = new Map<string, unknown>(Object.entries(data));
    for (const each of this.#slots) {
      const key = [each.key, lowerFirst(each.key)].find((name) => members.has(name));
      if (key === undefined) continue;
      if (each.isLoading) this.#waiting.set(each.key, members.get(key));
      else this.#set(each, members.get(key));
    }
  }

  /** Forgets waiting values: their object is gone. */
  clear(): void {
    this.#waiting.clear();
  }

  #set(target: Slot, value: unknown): void {
    const { key, hindrance } = target;
    if (hindrance !== null) {
      this.#warnings.once(`${key} is not set, because its attribute ${hindrance}.`);
      return;
    }
    try {
      if (target.set(value)) return;
      this.#warnings.once(
        `${key} is not set: ${shorten(JSON.stringify(value))} does not fit the type of its attribute.`,
      );
    } catch (error) {
      this.#warnings.once(`${key} is not set: ${asError(error).message}`);
    }
  }
}

function lowerFirst(key: string): string {
  return key.charAt(0).toLowerCase() + key.slice(1);
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
