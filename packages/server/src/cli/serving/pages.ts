/** Serves what `fanfare dev` has beside Fanfare itself: the files of a folder, or one bare page. */
import { existsSync, readFileSync, statSync } from "node:fs";
import type { RequestListener } from "node:http";
import { quote } from "@fanfare/protocol";
import sirv from "sirv";
import { packageFile } from "../../base/package.js";
import { UsageError } from "../../base/usage-error.js";
import { nothingHere } from "./http-server.js";
import { mayBeServed } from "./served-files.js";

const nothing = nothingHere("the page is at /");

/** The bare page, which shows what arrives on a channel. */
export function barePage(path: string): RequestListener {
  const page = readFileSync(packageFile("pages/dev.html"), "utf8").replaceAll("{{path}}", path);
  return (request, response) => {
    if (request.url === "/")
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page);
    else nothing(request, response);
  };
}

/** The files of a folder that may be shown, read anew at each request, with `index.html` for the folder itself. @throws UsageError */
export function folder(name: string): RequestListener {
  if (!existsSync(name) || !statSync(name).isDirectory()) {
    throw new UsageError(
      `--serve is ${quote(name)}, which is no folder`,
      "Give a folder with an index.html.",
    );
  }
  const serve = sirv(name, { dev: true, etag: true });
  return (request, response) => {
    if (!mayBeServed(name, request.url ?? "")) return nothing(request, response);
    // Ranges that cannot be make it throw.
    delete request.headers.range;
    // A file may go while it is read.
    response.on("pipe", (file) => file.on("error", () => response.destroy()));
    serve(request, response, () => nothing(request, response));
  };
}
