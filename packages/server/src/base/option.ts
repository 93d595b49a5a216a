/**
 * Options are declared once, as a schema with a description. From this come their types, their names, the checks, the help, the
 * documentation and the error messages.
 */
import type { ErrorCode, SetupCode } from "@fanfare/protocol";
import { z } from "zod";

export interface Description {
  readonly text: string;
  /** The values that may be given, worded so that they can stand after "Give". */
  readonly allowed: string;
  readonly unit?: string;
  /** The default is less where this machine has too little memory for it. */
  readonly fromMemory?: boolean;
  /** The code of the error when it is wrong in code. @default none: a TypeError */
  readonly code?: SetupCode | ErrorCode;
  /** Its value is never shown. */
  readonly secret?: true;
  /** There is a flag, and this is what its help calls the value. */
  readonly flag?: string;
  /** The environment variable, where it is not made from the key. */
  readonly variable?: string;
  /** Reads the text of an environment variable, where its type alone does not say how. @throws SyntaxError */
  readonly fromText?: (text: string) => unknown;
  /** How to write it as text, where that does not go without saying. */
  readonly asText?: string;
}

const descriptions = z.registry<Description>();

/** The same schema, described. */
export function described<T extends z.ZodType>(schema: T, description: Description): T {
  descriptions.add(schema, description);
  return schema;
}

/**
 * Options as callers give them: each may be left out, or `undefined`, where the schema does not demand it. Comments on the members of the
 * shape are what editors show.
 */
export type Given<Shape extends z.core.$ZodShape> = {
  readonly [Name in keyof Shape as undefined extends z.input<Shape[Name]> ? Name : never]?:
    | ReadOnly<z.input<Shape[Name]>>
    | undefined;
} & {
  readonly [Name in keyof Shape as undefined extends z.input<Shape[Name]> ? never : Name]: ReadOnly<
    z.input<Shape[Name]>
  >;
};

/** Lists and objects that are only read. */
type ReadOnly<Value> = Value extends readonly (infer Item)[]
  ? readonly ReadOnly<Item>[]
  : Value extends (...args: never) => unknown
    ? Value
    : Value extends object
      ? { readonly [Name in keyof Value]: ReadOnly<Value[Name]> }
      : Value;

export function descriptionOf(schema: z.core.$ZodType): Description | undefined {
  return descriptions.get(schema);
}
