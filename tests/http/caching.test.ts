import { expect, test } from "vitest";
import { serve } from "../library/serve.js";

test.each(["/client.js", "/openapi.json", "/docs/viewer.js", "/docs/viewer.css"])(
  "%s is sent once to each browser, as long as it stays the same",
  async (path) => {
    const { base } = await serve();
    const first = await fetch(`${base}${path}`);
    const etag = first.headers.get("etag") ?? "";
    expect([first.status, (await first.text()).length > 0, etag]).toEqual([
      200,
      true,
      expect.stringMatching(/^".+"$/),
    ]);
    const again = await fetch(`${base}${path}`, { headers: { "If-None-Match": `W/${etag}` } });
    expect([again.status, await again.text(), again.headers.get("cache-control")]).toEqual([
      304,
      "",
      first.headers.get("cache-control"),
    ]);
  },
);
