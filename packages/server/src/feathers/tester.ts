/**
 * Whether a record is one that is asked for, decided by `sift`. It is given the operators of Feathers and no others: among its own is
 * one that runs code. Comparing costs little, since a record may have lists of many thousand members.
 */
import { isJsonObject, type JsonObject } from "@fanfare/protocol";
import sift from "sift";

const { $and, $gt, $gte, $lt, $lte, $ne, $or, createEqualsOperation, createQueryTester } = sift;

type Operation = typeof $gt;
type Operations = Readonly<Record<string, Operation>>;
type Same = (wanted: unknown, found: unknown) => boolean;

/** A value that is neither a list nor an object, as it is compared. */
type AsCompared = (value: unknown) => unknown;

const exact: AsCompared = (value) => value ?? null;
/** Where what is asked for came as text. `""` is also what an address has for `null`. */
const asText: AsCompared = (value) => (value === undefined || value === null ? "" : String(value));

const OPTIONS = optionsOf(exact, { $and, $gt, $gte, $lt, $lte, $or });
/** Texts stand for numbers, too. */
const TEXT_OPTIONS = optionsOf(asText, {
  $and,
  $gt: ordered((found, wanted) => found > wanted),
  $gte: ordered((found, wanted) => found >= wanted),
  $lt: ordered((found, wanted) => found < wanted),
  $lte: ordered((found, wanted) => found <= wanted),
  $or,
});

/**
 * @param conditions whose names have been checked
 * @param texts every value came as text, as in an address
 * @throws Error when operators stand where they cannot
 */
export function testerOf(conditions: JsonObject, texts: boolean): (record: JsonObject) => boolean {
  return createQueryTester<unknown, unknown>(conditions, texts ? TEXT_OPTIONS : OPTIONS);
}

function optionsOf(compared: AsCompared, others: Operations) {
  const compare = sameBy(compared);
  const $in: Operation = (wanted, owner, options) =>
    createEqualsOperation(oneOf(wanted, compared, compare), owner, options);
  const $nin: Operation = (wanted, owner, options, name) =>
    $ne(oneOf(wanted, compared, compare), owner, options, name);
  return { operations: { ...others, $in, $ne, $nin }, compare };
}

function sameBy(compared: AsCompared): Same {
  const same: Same = (wanted, found) => {
    if (Array.isArray(wanted)) {
      return (
        Array.isArray(found) &&
        wanted.length === found.length &&
        wanted.every((each, index) => same(each, found[index]))
      );
    }
    if (isJsonObject(wanted)) {
      if (!isJsonObject(found)) return false;
      const names = Object.keys(wanted);
      return (
        names.length === Object.keys(found).length &&
        names.every((name) => Object.hasOwn(found, name) && same(wanted[name], found[name]))
      );
    }
    return !isContainer(found) && compared(wanted) === compared(found);
  };
  return same;
}

/** A look into a set for each value of a record, however many are wanted. */
function oneOf(wanted: unknown, compared: AsCompared, same: Same): (found: unknown) => boolean {
  const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  const plain = new Set(values.filter((each) => !isContainer(each)).map(compared));
  const containers = values.filter(isContainer);
  return (found) =>
    isContainer(found) ? containers.some((each) => same(each, found)) : plain.has(compared(found));
}

/** Numbers are compared as numbers, texts as texts. */
function ordered(holds: (found: number | string, wanted: number | string) => boolean): Operation {
  return (wanted: unknown, owner, options) =>
    createEqualsOperation(
      (found: unknown) => {
        if (typeof wanted !== "string") return false;
        if (typeof found === "number") return wanted.trim() !== "" && holds(found, Number(wanted));
        return typeof found === "string" && holds(found, wanted);
      },
      owner,
      options,
    );
}

function isContainer(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}
