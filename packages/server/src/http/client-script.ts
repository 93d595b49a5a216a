/** `{path}/client.js`: the client for pages that have no bundler, so that a script tag is all they need. */
import { readFile } from "node:fs/promises";
import { Hono } from "hono";
import type { HttpEnv } from "./context.js";

export function clientScript(): Hono<HttpEnv> {
  let script: Promise<string> | null = null;
  return new Hono<HttpEnv>().get("/client.js", async (c) => {
    script ??= readFile(new URL(import.meta.resolve("@fanfare/client/script")), "utf8");
    c.header("Content-Type", "text/javascript; charset=utf-8");
    // Revalidated each time: after an update of the server its pages must not run an older client for long.
    c.header("Cache-Control", "no-cache");
    return c.body(await script);
  });
}
