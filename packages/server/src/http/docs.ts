/**
 * `{path}/openapi.json`, and `{path}/docs`: the same document as a page to read and to try. The page and all that it loads
 * come from this server; its policy forbids the browser to ask anybody else.
 */
import { readFile } from "node:fs/promises";
import { type ApiInfo, openApiOf } from "./openapi.js";
import type { Route } from "./route.js";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // The viewer puts its styles into elements.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Addresses are relative, so that the page also works behind a proxy that serves it under another path. */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fanfare: HTTP API</title>
<link rel="icon" href="data:,">
<script type="module" src="docs/viewer.js"></script>
<rapi-doc spec-url="openapi.json" load-fonts="false" theme="light" render-style="read"
  show-header="false" allow-server-selection="false" allow-spec-url-load="false" allow-spec-file-load="false"
  show-method-in-nav-bar="as-colored-text" schema-description-expanded="true" persist-auth="false">
</rapi-doc>
<noscript>This page needs JavaScript. The document itself is at <a href="openapi.json">openapi.json</a>.</noscript>
</html>
`;

/** @param others all routes but those of the document itself */
export function docsRoutes(others: readonly Route[], info: ApiInfo): Route[] {
  let viewer: Promise<string> | null = null;
  let json: string | null = null;
  const routes: Route[] = [
    {
      method: "GET",
      path: "/openapi.json",
      id: "openapi",
      summary: "This document",
      tag: "server",
      needs: null,
      answers: { 200: { description: "An OpenAPI 3.1 document.", type: "application/json" } },
      handle(c) {
        json ??= JSON.stringify(openApiOf([...others, ...routes], info));
        return c.body(json, 200, { "Content-Type": "application/json", "Cache-Control": "no-cache" });
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
    {
      method: "GET",
      path: "/docs/viewer.js",
      id: "docsViewer",
      summary: "The script of that page",
      tag: "server",
      needs: null,
      answers: { 200: { description: "RapiDoc (MIT licence).", type: "text/javascript" } },
      async handle(c) {
        viewer ??= readFile(new URL(import.meta.resolve("rapidoc/dist/rapidoc-min.js")), "utf8");
        c.header("Content-Type", "text/javascript; charset=utf-8");
        c.header("Cache-Control", "public, max-age=3600");
        return c.body(await viewer);
      },
    },
  ];
  return routes;
}
