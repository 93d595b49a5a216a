import { ERRORS } from "@fanfare/protocol";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describe, expect, test } from "vitest";
import { LISTEN } from "../../packages/server/src/testing/let-in.js";
import { post, problemOf, serve } from "../library/serve.js";

interface Operation {
  operationId: string;
  summary: string;
  parameters?: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[];
  requestBody?: unknown;
  responses: Record<string, { description: string }>;
  security: unknown[];
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  servers: { url: string }[];
  components: { schemas: Record<string, unknown> };
}

async function serving(options: Parameters<typeof serve>[0] = {}) {
  const served = await serve(options);
  const document = (await (await fetch(`${served.base}/openapi.json`)).json()) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  return { ...served, document, operations };
}

describe("the OpenAPI document", () => {
  test("is valid OpenAPI 3.1", async () => {
    const { document } = await serving();
    const { valid, errors } = await new Validator().validate({ ...document });
    expect(errors).toBeUndefined();
    expect(valid).toBe(true);
    expect(document.openapi).toMatch(/^3\.1\./);
  });

  test("says which calls a key makes a difference to", async () => {
    const { document } = await serving();
    const locked = (path: string, method: string) =>
      (document.paths[path]?.[method]?.security ?? []).length > 0;
    expect(locked("/messages", "post")).toBe(true);
    expect(locked("/access/explain", "post")).toBe(true);
    expect(locked("/health", "get")).toBe(false);
  });

  test("describes exactly what is served: each address takes the methods that it names, and no others", async () => {
    const { base, document } = await serving();
    for (const [path, methods] of Object.entries(document.paths)) {
      const url = `${base}${path.replace(/\{\w+\}/g, "x")}`;
      const refused = await fetch(url, { method: "PROPFIND" });
      expect(refused.status, path).toBe(405);
      const allowed = (refused.headers.get("allow") ?? "").split(", ").filter((method) => method !== "HEAD");
      expect(allowed.sort(), path).toEqual(
        Object.keys(methods)
          .map((method) => method.toUpperCase())
          .sort(),
      );
    }
    expect(Object.keys(document.paths).sort()).toEqual([
      "/",
      "/access/explain",
      "/channels",
      "/channels/{channel}",
      "/channels/{channel}/messages",
      "/channels/{channel}/presence",
      "/channels/{channel}/state",
      "/client.js",
      "/connections",
      "/connections/{connection}",
      "/docs",
      "/docs/viewer.css",
      "/docs/viewer.js",
      "/health",
      "/health/live",
      "/keys",
      "/keys/{id}",
      "/locks/{name}",
      "/locks/{name}/holder",
      "/messages",
      "/metrics",
      "/openapi.json",
      "/owners",
      "/revocations",
      "/sequences/{name}",
      "/sequences/{name}/next",
      "/sse",
      "/tickets",
      "/tokens",
      "/tokens/{token}",
      "/users/{user}",
    ]);
  });

  test("names the server's path, and leads nowhere when a reference does", async () => {
    const { document } = await serving({ path: "/app/live" });
    expect(document.servers[0]?.url).toBe("/app/live");
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
    for (const [, name = ""] of references) expect(document.components.schemas).toHaveProperty(name);
  });

  test("has parameters as they are checked", async () => {
    const { operations } = await serving();
    const parameters = operations.find(({ operation }) => operation.operationId === "history")?.operation
      .parameters;
    expect(parameters).toMatchObject([
      { name: "channel", in: "path", required: true, schema: { type: "string", maxLength: 200 } },
      { name: "after", in: "query", required: false, schema: { pattern: expect.any(String) } },
      {
        name: "limit",
        in: "query",
        required: false,
        schema: { type: "integer", minimum: 1, maximum: 1000, default: 100 },
      },
    ]);
  });

  test("has messages as they are checked", async () => {
    const { document } = await serving();
    expect(document.components.schemas.Message).toMatchObject({
      type: "object",
      properties: { event: { type: "string", minLength: 1, maxLength: 200 }, data: expect.any(Object) },
      required: ["data"],
    });
    expect(document.components.schemas.Batch).toMatchObject({
      properties: { messages: { type: "array", maxItems: 1000, items: { required: ["channel", "data"] } } },
    });
    expect(document.components.schemas.Problem).toMatchObject({
      required: expect.arrayContaining(["code", "remedy"]),
    });
  });

  test("tells of each operation what it does, and has names that are used once", async () => {
    const { operations } = await serving();
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { operation } of operations) expect(operation.summary).toMatch(/^[A-Z]/);
  });

  test("documents the errors that calls are answered with", async () => {
    const { base, messages, operations } = await serving({ anonymous: LISTEN });
    const described = (id: string, status: number) =>
      operations.find(({ operation }) => operation.operationId === id)?.operation.responses[status]
        ?.description;
    for (const [id, answer] of [
      ["publish", await post(messages, { data: 1 })],
      ["publish", await post(`${base}/channels/a%20b/messages`, { data: 1 })],
      ["history", await fetch(`${messages}?limit=0`)],
      ["history", await fetch(`${messages}?after=x`)],
      ["publishMany", await post(`${base}/messages`, "{")],
      ["channels", await fetch(`${base}/channels`)],
      ["history", await fetch(messages, { headers: { Authorization: "Bearer wrong" } })],
      ["webSocket", await fetch(base)],
    ] as const) {
      const { code, status } = await problemOf(answer);
      expect(described(id, status), `${id} ${status}`).toContain(`\`${code}\`: ${ERRORS[code].meaning}`);
    }
  });
});

describe("the page of the document", () => {
  test("loads nothing from elsewhere, and is forbidden to", async () => {
    const { base } = await serving();
    const answer = await fetch(`${base}/docs`);
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
    const policy = answer.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
    const html = await answer.text();
    expect(html).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
    const files = [...html.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, address = ""]) => address);
    expect(files).toEqual(["docs/viewer.css", "docs/viewer.js"]);
    for (const [file, type] of [
      ["docs/viewer.css", "text/css"],
      ["docs/viewer.js", "text/javascript"],
    ] as const) {
      const viewer = await fetch(new URL(file, `${base}/docs`));
      expect(viewer.headers.get("content-type")).toBe(`${type}; charset=utf-8`);
      expect((await viewer.text()).length).toBeGreaterThan(100_000);
    }
  });

  test("is found with a slash at the end, too", async () => {
    const { base } = await serving();
    expect((await fetch(`${base}/docs/`)).url).toBe(`${base}/docs`);
  });
});
