/**
 * What this package needs of a schema: the interface of Standard Schema, version 1, which zod, valibot, arktype and others have. See
 * https://standardschema.dev; types only, so that no library is chosen here.
 */

/** A schema of any library that follows Standard Schema. */
export interface StandardSchema<Input = unknown> {
  readonly "~standard": {
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult | Promise<SchemaResult>;
    /** There for the compiler only. */
    readonly types?: { readonly input: Input; readonly output: unknown } | undefined;
  };
}

/** What a schema found: nothing, unless `issues` is there. */
export interface SchemaResult {
  readonly issues?: readonly SchemaIssue[] | undefined;
}

export interface SchemaIssue {
  readonly message: string;
  /** The way to the value that is wrong. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The type of the values that a schema takes. */
export type InputOf<Schema> = Schema extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : unknown
  : unknown;
