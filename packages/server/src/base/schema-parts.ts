/** Looks into schemas. */
import { z } from "zod";
import { type Description, descriptionOf } from "./option.js";

/** The schema inside of defaults and the like. */
export function bare(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodExactOptional
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

/** Of several forms, the one that has something inside. */
export function inside(schema: z.core.$ZodType): z.core.$ZodType {
  if (!(schema instanceof z.ZodUnion)) return schema;
  return schema.options.find((form) => form instanceof z.ZodArray || isObjectSchema(form)) ?? schema;
}

export function isObjectSchema(schema: z.core.$ZodType | undefined): schema is z.ZodObject {
  return schema instanceof z.ZodObject;
}

/** The schemas from this one down to what stands at this place, as far as there are any; the first is this one. */
export function schemasAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly z.core.$ZodType[] {
  const found = [schema];
  for (const step of path) {
    const here = inside(bare(found.at(-1) ?? schema));
    const next: z.core.$ZodType | undefined = isObjectSchema(here)
      ? here.shape[String(step)]
      : here instanceof z.ZodArray
        ? here.element
        : undefined;
    if (next === undefined) break;
    found.push(next);
  }
  return found;
}

/** The description of what stands at this place, the nearest that there is. */
export function descriptionAt(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
): Description | undefined {
  return schemasAt(schema, path)
    .map((each) => descriptionOf(each))
    .findLast((description) => description !== undefined);
}

/** The names of the options that stand at this place; none where no options do. */
export function namesAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const schemas = schemasAt(schema, path);
  const here = inside(bare(schemas[path.length] ?? schema));
  const item = here instanceof z.ZodArray ? inside(bare(here.element)) : here;
  return isObjectSchema(item) ? Object.keys(item.shape) : [];
}
