/** A client of HTTP/2 with gzip, as a browser is one, that trusts any certificate. */
import { type ClientHttp2Session, connect } from "node:http2";
import { createGunzip, gunzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { Inbox } from "../doors/waiting.js";

export function http2(site: string): ClientHttp2Session {
  const session = connect(site, { rejectUnauthorized: false });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

const BROWSER = { "accept-encoding": "gzip", "content-type": "application/json" };

/** Asks, and answers with the status and the body. */
export async function ask(
  session: ClientHttp2Session,
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body = "",
): Promise<{ status: number; text: string; encoding: string }> {
  const stream = session.request({ ":method": method, ":path": path, ...BROWSER, ...headers });
  if (body !== "") stream.end(body);
  let status = 0;
  let encoding = "";
  stream.on("response", (answer) => {
    status = Number(answer[":status"]);
    encoding = String(answer["content-encoding"] ?? "");
  });
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  const bytes = Buffer.concat(parts);
  return { status, text: (encoding === "gzip" ? gunzipSync(bytes) : bytes).toString(), encoding };
}

/** The blocks of a stream of events, as they come. */
export function events(session: ClientHttp2Session, path: string): Inbox<string> {
  const blocks = new Inbox<string>("blocks");
  let waiting = "";
  const stream = session.request({ ":path": path, ...BROWSER, accept: "text/event-stream" });
  stream.once("response", (answer) => {
    const plain = answer["content-encoding"] === "gzip" ? stream.pipe(createGunzip()) : stream;
    plain.setEncoding("utf8");
    plain.on("error", () => {});
    plain.on("data", (text) => {
      const all = (waiting + text).split("\n\n");
      waiting = all.pop() ?? "";
      for (const block of all) blocks.put(block);
    });
  });
  stream.on("error", () => {});
  stream.on("close", () => blocks.end("the stream has ended"));
  return blocks;
}
