/** Reads request bodies: bounded, strict UTF-8, from Node's own stream where there is one, which costs least. */
import type { IncomingMessage } from "node:http";
import { FanfareError, quote } from "@fanfare/protocol";
import type { Context } from "hono";
import type { HttpEnv } from "./context.js";
import { headerOf } from "./header.js";

/** Room for the parts of a body around the value. */
export const BODY_OVERHEAD = 4096;
/** JSON writers may spell a character of one byte with six: `\u003c`. */
export const BYTES_PER_ESCAPE = 6;

export const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/i;
/** What JSON leaves as it is, though no reader sees it, or a terminal obeys it. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The body as a JSON value.
 *
 * @throws FanfareError `invalid_json`, `invalid_request`, `too_large`, `unsupported_media_type`
 */
export async function readJson(c: Context<HttpEnv>, maxBytes: number): Promise<unknown> {
  const type = headerOf(c, "content-type") ?? "";
  // Only browsers can be made to send a body by a foreign page, and of those only what is not JSON.
  if (headerOf(c, "origin") !== undefined && !JSON_TYPE.test(type)) {
    throw new FanfareError("unsupported_media_type", `the Content-Type is ${type ? quote(type) : "missing"}`);
  }
  const incoming = c.env?.incoming;
  if (incoming?.readableEnded) return readBefore(incoming, type);
  const encoding = headerOf(c, "content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new FanfareError("unsupported_media_type", `the Content-Encoding is ${quote(encoding)}`, {
      remedy: "Send the body as it is, not compressed.",
    });
  }
  const declared = Number(headerOf(c, "content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge(`${declared}`, maxBytes);
  return parse(await (incoming ? readIncoming(incoming, maxBytes) : readWeb(c.req.raw.body, maxBytes)));
}

/** The same, where no body at all stands for an empty object. */
export async function readOptionalJson(c: Context<HttpEnv>, maxBytes: number): Promise<unknown> {
  const isEmpty = Number(headerOf(c, "content-length") ?? 0) === 0;
  if (isEmpty && headerOf(c, "transfer-encoding") === undefined) return {};
  return await readJson(c, maxBytes);
}

/** A body parser of the host application has been here before, and left in `body` what it made of it. */
function readBefore(incoming: IncomingMessage, type: string): unknown {
  const body: unknown = "body" in incoming ? incoming.body : undefined;
  if (body instanceof Uint8Array) return parse(body);
  if (typeof body === "string") return parseText(body);
  if (body !== undefined && JSON_TYPE.test(type)) return body;
  throw new FanfareError(
    "invalid_json",
    "another part of the application has read the body already, and not as JSON",
    { remedy: "Send Content-Type: application/json, or let Fanfare come before what reads bodies." },
  );
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new FanfareError("invalid_json", "the body is no valid UTF-8");
  }
  return parseText(text);
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // It shows a piece of the text.
    const why = error instanceof Error ? error.message.slice(0, 200).replace(INVISIBLE, "\ufffd") : "";
    throw new FanfareError("invalid_json", text === "" ? "the body is empty" : `the body is no JSON: ${why}`);
  }
}

function readIncoming(incoming: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const brokenOff = () => {
      if (!incoming.readableEnded) reject(new FanfareError("invalid_request", "the body broke off"));
    };
    if (incoming.destroyed) brokenOff();
    incoming.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      // The rest is read, too, and thrown away: so the answer arrives, and the connection can be used again.
      chunks.length = 0;
      reject(tooLarge(`more than ${maxBytes}`, maxBytes));
    });
    incoming.on("end", () => resolve(join(chunks, length)));
    incoming.on("error", brokenOff);
    incoming.on("close", brokenOff);
  });
}

async function readWeb(stream: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(`more than ${maxBytes}`, maxBytes);
    chunks.push(chunk);
  }
  return join(chunks, length);
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  return only && chunks.length === 1 ? only : Buffer.concat(chunks, length);
}

function tooLarge(size: string, maxBytes: number): FanfareError {
  return new FanfareError("too_large", `the body has ${size} bytes, and ${maxBytes} are allowed`);
}
