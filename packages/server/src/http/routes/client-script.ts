/** `{path}/client.js`: the client for pages that have no bundler, so that a script tag is all they need. */
import { readFile } from "node:fs/promises";
import { kept } from "../../base/kept.js";
import { answerFile } from "../exchange/etag.js";
import type { Route } from "../exchange/route.js";

export function clientScript(): Route[] {
  const script = kept(() => readFile(new URL(import.meta.resolve("@fanfare/client/script")), "utf8"));
  return [
    {
      method: "GET",
      path: "/client.js",
      id: "clientScript",
      summary: "The client for pages without a bundler",
      tag: "server",
      needs: null,
      answers: {
        200: { description: "A script that defines `Fanfare`.", type: "text/javascript" },
        304: { description: "The browser has this version." },
      },
      async handle(c) {
        // Revalidated each time: after an update of the server its pages must not run an older client for long.
        return answerFile(c, await script(), "text/javascript; charset=utf-8", "no-cache");
      },
    },
  ];
}
