/** Checks the servers, requests and responses that an application hands over. Mistakes here are those of a first hour. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { shown } from "@fanfare/protocol";

/** @throws TypeError when it is no HTTP server of Node's */
export function checkServer(server: Server): void {
  const { on, emit, listen, address } = Object(server) as Partial<Server>;
  // The application of Express, Connect and Koa has a `listen`, too, and is no server.
  if ([on, emit, listen, address].every((method) => typeof method === "function")) return;
  throw new TypeError(
    `attach got ${shown(server)}. Give the HTTP server: const server = app.listen(8080); fanfare.attach(server).`,
  );
}

/** @throws TypeError when it is no `Request` */
export function checkRequest(request: Request): void {
  const { url, headers } = Object(request) as Partial<Request>;
  if (typeof url === "string" && typeof headers?.get === "function") return;
  throw new TypeError(
    `fetch got ${shown(request)}. Give a Request: fanfare.fetch(new Request("http://localhost/push/health")).`,
  );
}

/** @throws TypeError when these are not the request and the response of a Node server */
export function checkExchange(request: IncomingMessage, response: ServerResponse): void {
  const { headers, url } = Object(request) as Partial<IncomingMessage>;
  const { writeHead } = Object(response) as Partial<ServerResponse>;
  if (typeof headers === "object" && typeof url === "string" && typeof writeHead === "function") return;
  throw new TypeError(
    `handler got ${shown(request)} and ${shown(response)}. Let a Node server or Express call it: app.use(fanfare.handler).`,
  );
}
