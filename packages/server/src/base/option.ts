/** What an option says about itself: from this come the help, the documentation and the error messages. */
import { z } from "zod";

export interface Description {
  readonly text: string;
  /** The values that may be given, worded so that they can stand after "Give". */
  readonly allowed: string;
  readonly unit?: string;
  /** The default is less where this machine has too little memory for it. */
  readonly fromMemory?: boolean;
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

export function descriptionOf(schema: z.core.$ZodType): Description | undefined {
  return descriptions.get(schema);
}
