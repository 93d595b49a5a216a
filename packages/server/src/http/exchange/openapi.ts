/** `{path}/openapi.json`: the HTTP API as an OpenAPI 3.1 document, made from the routes and the schemas that they check with. */
import { ERRORS, type ErrorCode } from "@fanfare/protocol";
import { z } from "zod";
import { PROBLEM_TYPE } from "../../wire/problem.js";
import { dependsOnCaller, errorsOf } from "./errors.js";
import { type Answer, type Route, TAGS } from "./route.js";
import { problem } from "./schemas.js";

export type JsonObject = Record<string, unknown>;

export interface ApiInfo {
  /** The server's path. */
  readonly path: string;
  readonly version: string;
}

/** The document of these routes. */
export function openApiOf(routes: readonly Route[], { path, version }: ApiInfo): JsonObject {
  const components: JsonObject = {};
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    const address = route.path.replace(/:(\w+)/g, "{$1}") || "/";
    paths[address] = { ...paths[address], [route.method.toLowerCase()]: operationOf(route, components) };
  }
  schemaOf(problem, "output", components);
  return {
    openapi: "3.1.1",
    info: {
      title: "Fanfare",
      version,
      summary: "Pushes messages to browser windows.",
      description:
        "Publishing, reading and looking after a Fanfare server over HTTP. Browser windows listen over WebSocket, at the server's path itself.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: path, description: "This server" }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        apiKey: { type: "http", scheme: "bearer", description: "An API key that the server knows." },
      },
    },
  };
}

function operationOf(route: Route, components: JsonObject): JsonObject {
  const { id, summary, details, tag, parameters = [], body, answers } = route;
  const { bodyTypes = ["application/json"], bodyMayBeMissing = false } = route;
  return {
    operationId: id,
    summary,
    ...(details !== undefined && { description: details }),
    tags: [tag],
    // Whether a key is needed is a matter of how the server is set up.
    security: dependsOnCaller(route) ? [{ apiKey: [] }, {}] : [],
    ...(parameters.length > 0 && {
      parameters: parameters.flatMap(({ in: place, schema }) => parametersOf(place, schema)),
    }),
    ...(body && {
      requestBody: {
        required: !bodyMayBeMissing,
        content: Object.fromEntries(
          bodyTypes.map((type) => [type, { schema: schemaOf(body, "input", components) }]),
        ),
      },
    }),
    responses: { ...answersOf(answers, components), ...problemsOf(errorsOf(route), answers) },
  };
}

function parametersOf(place: string, schema: z.ZodObject): JsonObject[] {
  return Object.entries(schema.shape).map(([name, member]) => {
    const { description, examples, ...shape } = plain(member, "output");
    const required = place === "path" || !member.safeParse(undefined).success;
    const [example] = Array.isArray(examples) ? examples : [];
    return {
      name,
      in: place,
      required,
      ...(description !== undefined && { description }),
      // The page fills fields in with examples: right for what must be given, a trap for what may be left out.
      ...(required && example !== undefined && { example }),
      schema: shape,
    };
  });
}

function answersOf(answers: Route["answers"], components: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, type }]: [string, Answer]) => {
      const media = type ?? (schema ? "application/json" : null);
      const shape = schema ? schemaOf(schema, "output", components) : { type: "string" };
      return [status, { description, ...(media && { content: { [media]: { schema: shape } } }) }];
    }),
  );
}

/** Errors by status; a status that is an answer already is described there. */
function problemsOf(codes: readonly ErrorCode[], answers: Route["answers"]): JsonObject {
  const problems: JsonObject = {};
  for (const status of new Set(codes.map((code) => ERRORS[code].status))) {
    if (status in answers) continue;
    const same = codes.filter((code) => ERRORS[code].status === status);
    problems[status] = {
      description: same
        .map((code) => `\`${code}\`: ${ERRORS[code].meaning} ${ERRORS[code].remedy}`)
        .join("\n\n"),
      content: {
        [PROBLEM_TYPE]: {
          schema: {
            allOf: [
              { $ref: "#/components/schemas/Problem" },
              { type: "object", properties: { code: { enum: same }, status: { const: status } } },
            ],
          },
        },
      },
    };
  }
  return problems;
}

/** A schema, or where it has an id a reference to it among the components. */
function schemaOf(schema: z.ZodType, io: "input" | "output", components: JsonObject): JsonObject {
  const { $defs, id, ...shape } = plain(schema, io);
  for (const [name, { id: _, ...definition }] of Object.entries(
    ($defs ?? {}) as Record<string, JsonObject>,
  )) {
    components[name] = definition;
  }
  if (typeof id !== "string") return shape;
  components[id] = shape;
  return { $ref: `#/components/schemas/${id}` };
}

function plain(schema: z.ZodType, io: "input" | "output"): JsonObject {
  const made = z.toJSONSchema(schema, {
    io,
    override({ zodSchema, jsonSchema }) {
      if (!isStrict(zodSchema)) delete jsonSchema.additionalProperties;
      withoutNoise(jsonSchema);
    },
  });
  const { $schema: _, ...rest } = made;
  // References within one schema become references among the components.
  return JSON.parse(JSON.stringify(rest).replaceAll("#/$defs/", "#/components/schemas/")) as JsonObject;
}

/** Answers may have members one day that are not described; of requests such members are refused. */
function isStrict(schema: z.core.$ZodType): boolean {
  return !(schema instanceof z.ZodObject) || schema.def.catchall instanceof z.ZodNever;
}

/** Bounds that every number of JSON has. */
function withoutNoise(schema: JsonObject): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}
