/**
 * `{path}/openapi.json`, and `{path}/docs`: the same document as a page to read and to try. The page and all that it loads
 * come from this server; its policy forbids the browser to ask anybody else.
 */
import { readFile } from "node:fs/promises";
import { kept } from "../../base/kept.js";
import { packageFile } from "../../base/package.js";
import { answerFile } from "../exchange/etag.js";
import { type ApiInfo, openApiOf } from "../exchange/openapi.js";
import type { Route } from "../exchange/route.js";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The bundle of `packages/server/build/viewer.mjs`. */
const VIEWER = packageFile("dist/viewer/");

/** Addresses are relative, so that the page also works behind a proxy that serves it under another path. */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fanfare: HTTP API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/viewer.css">
<script defer src="docs/viewer.js"></script>
<main></main>
<noscript>This page needs JavaScript. The document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
</html>
`;

/** @param others all routes but those of the document itself */
export function docsRoutes(others: readonly Route[], info: ApiInfo): Route[] {
  let json: string | null = null;
  const routes: Route[] = [
    {
      method: "GET",
      path: "/openapi.json",
      id: "openapi",
      summary: "This document",
      tag: "server",
      needs: null,
      answers: {
        200: { description: "An OpenAPI 3.1 document.", type: "application/json" },
        304: { description: "The caller has this version." },
      },
      handle(c) {
        json ??= JSON.stringify(openApiOf([...others, ...routes], info));
        return answerFile(c, json, "application/json", "no-cache");
      },
    },
    {
      method: "GET",
      path: "/docs",
      id: "docs",
      summary: "This document as a page",
      tag: "server",
      needs: null,
      answers: { 200: { description: "A page to read and to try.", type: "text/html" } },
      handle(c) {
        // Relative addresses would lead elsewhere from there.
        if (new URL(c.req.url).pathname.endsWith("/")) return c.redirect("../docs");
        return c.html(PAGE, 200, {
          "Content-Security-Policy": POLICY,
          "Referrer-Policy": "no-referrer",
          "X-Content-Type-Options": "nosniff",
          "Cache-Control": "no-cache",
        });
      },
    },
    viewerFile("viewer.js", "text/javascript", "docsViewer", "The script of that page"),
    viewerFile("viewer.css", "text/css", "docsStyles", "The styles of that page"),
  ];
  return routes;
}

function viewerFile(name: string, type: string, id: string, summary: string): Route {
  const content = kept(() => readFile(new URL(name, VIEWER), "utf8"));
  return {
    method: "GET",
    path: `/docs/${name}`,
    id,
    summary,
    tag: "server",
    needs: null,
    answers: {
      200: { description: "Swagger UI (Apache License 2.0).", type },
      304: { description: "The browser has this version." },
    },
    async handle(c) {
      return answerFile(c, await content(), `${type}; charset=utf-8`, "public, max-age=3600");
    },
  };
}
