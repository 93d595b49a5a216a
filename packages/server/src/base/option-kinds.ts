/** Kinds of options that several groups have. */
import { z } from "zod";
import { checkMethods } from "./known-names.js";
import { described } from "./option.js";
import { explain } from "./option-checks.js";

/** Visible ASCII characters without commas, since lists in the environment are split there. */
export function visibleText(least: number): z.ZodString {
  return z.string().regex(new RegExp(`^[\\x21-\\x2b\\x2d-\\x7e]{${least},}$`));
}

/** An option that only code can give, such as a function. */
interface InCode {
  readonly inCode: true;
}

/**
 * An option that only code can give.
 *
 * @param allowed so that it can stand after "Give"
 * @param check looks further at a value that is right; what it throws is the answer
 */
export function inCode<Value>({
  text,
  allowed,
  isRight,
  check = () => {},
}: {
  readonly text: string;
  readonly allowed: string;
  readonly isRight: (given: unknown) => boolean;
  readonly check?: (given: Value) => void;
}) {
  const schema = z
    .custom<Value>(isRight)
    .superRefine((given, context) => explain(context, () => check(given)))
    .optional();
  return Object.assign(described(schema, { text, allowed }), { inCode: true } as const);
}

export const LOGGER_METHODS = ["debug", "info", "warn", "error"] as const;
export const CLOCK_METHODS = ["now", "monotonic", "after", "every", "endOfTurn"] as const;
export const RANDOM_METHODS = ["bytes", "fraction"] as const;

/** An object of the application. @param methods by the place, such as `engine.logs`: those that are called */
export function objectInCode<Value>(text: string, methods: Readonly<Record<string, readonly string[]>> = {}) {
  return inCode<Value>({
    text,
    allowed: "an object",
    isRight: (given) => typeof given === "object" && given !== null && !Array.isArray(given),
    check(given) {
      for (const [place, names] of Object.entries(methods)) {
        const [, part] = place.split(".");
        checkMethods(place, part === undefined ? given : Object(given)[part], names);
      }
    },
  });
}

/** The options of these that a file can have, too. */
export function inFile<Shape extends Readonly<Record<string, z.ZodType>>>(shape: Shape): InFile<Shape> {
  const found = Object.entries(shape).filter(([, option]) => !("inCode" in option));
  return Object.fromEntries(found) as InFile<Shape>;
}

type InFile<Shape> = {
  [Name in keyof Shape as Shape[Name] extends InCode ? never : Name]: Shape[Name];
};
