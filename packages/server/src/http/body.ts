/** Reads request bodies: bounded, strict UTF-8, from Node's own stream where there is one, which costs least. */
import type { IncomingMessage } from "node:http";
import { FanfareError, quote } from "@fanfare/protocol";
import type { Context } from "hono";

/** What a Node server hands on to the HTTP application beside the request. */
export interface NodeBindings {
  readonly incoming?: IncomingMessage;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The body as a JSON value.
 *
 * @throws FanfareError `invalid_json`, `too_large`, `unsupported_media_type`
 */
export async function readJson(c: Context<{ Bindings: NodeBindings }>, maxBytes: number): Promise<unknown> {
  const type = c.req.header("content-type");
  // Only browsers can be made to send a body by a foreign page, and of those only what is not JSON.
  if (c.req.header("origin") !== undefined && !/^application\/(?:[\w.-]+\+)?json\b/i.test(type ?? "")) {
    throw new FanfareError("unsupported_media_type", `the Content-Type is ${type ? quote(type) : "missing"}`);
  }
  const declared = Number(c.req.header("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge(`${declared}`, maxBytes);
  const incoming = c.env?.incoming;
  // A body parser of the host application has been here before.
  if (incoming && "body" in incoming && incoming.readableEnded) return incoming.body;
  const bytes = incoming
    ? await readStream(incoming, maxBytes)
    : await readStream(c.req.raw.body ?? [], maxBytes);
  return parse(bytes);
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new FanfareError("invalid_json", "the body is no valid UTF-8");
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    throw new FanfareError(
      "invalid_json",
      text === "" ? "the body is empty" : `the body is no JSON: ${why.slice(0, 200)}`,
    );
  }
}

async function readStream(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(`more than ${maxBytes}`, maxBytes);
    chunks.push(chunk);
  }
  const [only] = chunks;
  return only && chunks.length === 1 ? only : Buffer.concat(chunks, length);
}

function tooLarge(size: string, maxBytes: number): FanfareError {
  return new FanfareError("too_large", `the body has ${size} bytes, and ${maxBytes} are allowed`);
}
