/** `{path}/client.js`: the client for pages that have no bundler, so that a script tag is all they need. */
import { readFile } from "node:fs/promises";
import type { Route } from "./route.js";

export function clientScript(): Route[] {
  let script: Promise<string> | null = null;
  return [
    {
      method: "GET",
      path: "/client.js",
      id: "clientScript",
      summary: "The client for pages without a bundler",
      tag: "server",
      needs: null,
      answers: { 200: { description: "A script that defines `Fanfare`.", type: "text/javascript" } },
      async handle(c) {
        script ??= readFile(new URL(import.meta.resolve("@fanfare/client/script")), "utf8");
        c.header("Content-Type", "text/javascript; charset=utf-8");
        // Revalidated each time: after an update of the server its pages must not run an older client for long.
        c.header("Cache-Control", "no-cache");
        return c.body(await script);
      },
    },
  ];
}
