/** `/socket.io/socket.io.js` and its like: the scripts of the client, as Socket.IO serves them. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import sirv from "sirv";

const FILES = /^\/socket\.io(?:\.esm)?(?:\.min)?\.js(?:\.map)?(?:\?|$)/;

let serve: ReturnType<typeof sirv> | null = null;

/** Answers if the request is for a script. @param path where Socket.IO is served */
export function serveScript(path: string, request: IncomingMessage, response: ServerResponse): boolean {
  const below = (request.url ?? "").slice(path.length);
  if (!FILES.test(below)) return false;
  serve ??= sirv(
    join(dirname(createRequire(import.meta.url).resolve("socket.io/package.json")), "client-dist"),
    {
      etag: true,
    },
  );
  request.url = below;
  // Ranges that cannot be make it throw, and a part of a script has no use.
  delete request.headers.range;
  serve(request, response, () => void response.writeHead(404).end());
  return true;
}
