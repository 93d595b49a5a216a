/** Makes of a value of a message what an attribute of a type takes. */
import { Big } from "big.js";
import type { EditableValue } from "mendix";

export type AttributeValue = string | boolean | Big | Date;

/** `value` is what to set, `undefined` for empty; `null` where the value cannot be of that type. */
type Conversion<Value extends AttributeValue> = { readonly value: Value | undefined } | null;
export type Convert<Value extends AttributeValue> = (value: unknown) => Conversion<Value>;

/** A number as text, as senders write those beyond 2^53. */
const NUMBER = /^\s*-?\d+(\.\d+)?([eE][-+]?\d{1,3})?\s*$/;

/** Takes everything; what is no text becomes JSON. */
export const toText: Convert<string> = (value) => {
  if (value === null) return { value: undefined };
  return { value: typeof value === "string" ? value : JSON.stringify(value) };
};

/** For Integer, Long, Decimal and AutoNumber. */
export const toNumber: Convert<Big> = (value) => {
  if (value === null) return { value: undefined };
  if (typeof value === "number") return { value: new Big(value) };
  return typeof value === "string" && NUMBER.test(value) ? { value: new Big(value.trim()) } : null;
};

/** A Boolean of Mendix is never empty. */
export const toBoolean: Convert<boolean> = (value) => {
  if (typeof value === "boolean") return { value };
  if (value === "true") return { value: true };
  return value === "false" || value === null ? { value: false } : null;
};

/** From milliseconds since 1970 or ISO 8601, the two ways in which Mendix sends dates. */
export const toDate: Convert<Date> = (value) => {
  if (value === null) return { value: undefined };
  if (typeof value !== "number" && typeof value !== "string") return null;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? null : { value: date };
};

/** One of the names that an enumeration has. */
function toName(names: readonly unknown[]): Convert<string> {
  return (value) => {
    if (value === null) return { value: undefined };
    return typeof value === "string" && names.includes(value) ? { value } : null;
  };
}

/** By the attribute's own type, which it does not say, but shows by how it is written. */
export function convertFor({
  formatter,
  universe,
  value,
}: EditableValue<AttributeValue>): Convert<AttributeValue> {
  if (`${formatter.type}` === "number") return toNumber;
  if (`${formatter.type}` === "datetime") return toDate;
  if (typeof value === "boolean" || universe?.some((each) => typeof each === "boolean")) return toBoolean;
  return universe ? toName(universe) : toText;
}
