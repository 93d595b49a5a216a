/** The options as a flat list, taken from the schema: how each is called in a file, in the environment and as a flag. */
import { z } from "zod";
import { type Description, descriptionOf } from "../base/option.js";
import { bare, inside, isObjectSchema } from "../base/schema-parts.js";
import { configSchema } from "./schema.js";

export interface Option extends Description {
  /** As in a file, members joined by dots: `limits.connections`. */
  readonly key: string;
  readonly path: readonly string[];
  /** Such as `FANFARE_LIMITS_CONNECTIONS`. */
  readonly variable: string;
  readonly default: unknown;
  /** The value that a text stands for; a text that stands for none is left as it is, for the schema to refuse. */
  readonly parse: (text: string) => unknown;
  /** The options of each item, for a list of objects. */
  readonly members: readonly { readonly name: string; readonly description: Description }[];
}

export const PREFIX = "FANFARE_";

export const OPTIONS: readonly Option[] = [...optionsOf(configSchema, [])];

/** The keys that hold other keys. */
export const GROUPS: readonly string[] = [
  ...new Set(OPTIONS.filter(({ path }) => path.length > 1).map(({ path }) => path[0] ?? "")),
];

function* optionsOf(schema: z.ZodObject, above: readonly string[]): Generator<Option> {
  for (const [name, field] of Object.entries(schema.shape)) {
    const path = [...above, name];
    const inner = bare(field);
    const description = descriptionOf(field);
    if (inner instanceof z.ZodObject) yield* optionsOf(inner, path);
    else if (description) {
      yield {
        variable: PREFIX + path.map(snake).join("_").toUpperCase(),
        ...description,
        key: path.join("."),
        path,
        default: field instanceof z.ZodDefault ? field.def.defaultValue : undefined,
        parse: parserOf(inner, description),
        members: membersOf(inner),
      };
    }
  }
}

function parserOf(schema: z.core.$ZodType, { fromText }: Description): Option["parse"] {
  if (fromText) return fromText;
  if (schema instanceof z.ZodNumber) return (text) => (/^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text);
  if (schema instanceof z.ZodArray) return listed;
  return (text) => text;
}

function membersOf(schema: z.core.$ZodType): Option["members"] {
  const list = inside(schema);
  const element = list instanceof z.ZodArray ? bare(list.element) : undefined;
  const item = element instanceof z.ZodUnion ? element.options.find(isObjectSchema) : element;
  if (!isObjectSchema(item)) return [];
  return Object.entries(item.shape).flatMap(([name, field]) => {
    const description = descriptionOf(field);
    return description ? [{ name, description }] : [];
  });
}

/** A list as the text of an environment variable. */
function listed(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, "_$&");
}
