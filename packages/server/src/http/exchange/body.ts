/** Reads request bodies as JSON: bounded, strict UTF-8. */
import { FanfareError, quote } from "@fanfare/protocol";
import type { Context } from "hono";
import { tooLarge } from "../../wire/bodies.js";
import type { HttpEnv } from "./context.js";
import type { ParsedBefore } from "./exchange.js";

/** Room for the parts of a body around the value. */
export const BODY_OVERHEAD = 4096;
/** JSON writers may spell a character of one byte with six: `\u003c`. */
export const BYTES_PER_ESCAPE = 6;

export const JSON_TYPE = /^application\/(?:[\w.-]+\+)?json\b/i;
/** Characters that JSON does not escape although they are invisible, or control a terminal. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * The body as a JSON value. Whether its caller may still do what was allowed before is looked at once more.
 *
 * @throws FanfareError `invalid_json`, `invalid_request`, `too_large`, `unsupported_media_type`, `request_timeout`, `rate_limited`,
 * `unavailable`, `not_logged_in`, `forbidden`
 */
export async function readJson(c: Context<HttpEnv>, maxBytes: number): Promise<unknown> {
  const type = c.env.header("content-type") ?? "";
  // Only browsers can be made to send a body by a foreign page, and of those only what is not JSON.
  if (c.env.header("origin") !== undefined && !JSON_TYPE.test(type)) {
    throw new FanfareError("unsupported_media_type", `the Content-Type is ${type ? quote(type) : "missing"}`);
  }
  const { parsedBefore } = c.env;
  if (parsedBefore) return readBefore(parsedBefore, type);
  const encoding = c.env.header("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new FanfareError("unsupported_media_type", `the Content-Encoding is ${quote(encoding)}`, {
      remedy: "Send the body as it is, not compressed.",
    });
  }
  const declared = Number(c.env.header("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge(`${declared}`, maxBytes);
  const bytes = await c.env.readBody(maxBytes, c.get("caller").line);
  // A body may take its time, in which its caller may have been sent away.
  c.get("requestCaller").check();
  return parse(bytes);
}

/** The same, where no body at all stands for an empty object. */
export async function readOptionalJson(c: Context<HttpEnv>, maxBytes: number): Promise<unknown> {
  const isEmpty = Number(c.env.header("content-length") ?? 0) === 0;
  if (isEmpty && c.env.header("transfer-encoding") === undefined) return {};
  return await readJson(c, maxBytes);
}

/** Takes the value that a body parser of the host application has left. */
function readBefore({ body }: ParsedBefore, type: string): unknown {
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
