/**
 * Entity tags (RFC 9110, section 8.8.3). Ours are versions, and proxies rewrite them: nginx's gzip turns `"a"` into `W/"a"`, Apache's into
 * `"a-gzip"`. A version that went through a proxy is still that version.
 */
import { hash } from "node:crypto";
import { FanfareError, formatPosition, type Position, parsePosition, quote } from "@fanfare/protocol";
import type { Context } from "hono";
import type { HttpEnv } from "./context.js";

/** One tag of a list, weak or not. */
const TAG = /^[ \t]*(?:W\/)?"([^"]*)"[ \t]*(?:,|$)/;
/** The suffix that proxies add for the encoding of the body: Apache `-gzip`, Jetty `--gzip`, others `;br`. */
const ENCODING_SUFFIX = /(?:--?|[;:])(?:x-)?(?:gzip|br|brotli|deflate|zstd|df|dr)$/i;

/** The tag of a version, quoted. */
export function etag(position: Position): string {
  return `"${formatPosition(position)}"`;
}

/**
 * The version on which a change depends: `"any"` for any that there is, `null` for none, `undefined` where it depends on none.
 *
 * @throws FanfareError `invalid_request`, `invalid_position`
 */
export function versionWanted(c: Context<HttpEnv>): Position | "any" | null | undefined {
  const ifMatch = c.env.header("if-match");
  const ifNoneMatch = c.env.header("if-none-match");
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === "*" && ifMatch === undefined) return null;
    throw new FanfareError("invalid_request", `If-None-Match is ${quote(ifNoneMatch)}`, {
      remedy: "Give * where there is to be no state yet, without If-Match; otherwise leave it out.",
    });
  }
  if (ifMatch === undefined) return undefined;
  if (ifMatch.trim() === "*") return "any";
  const [tag, ...others] = tagsOf(ifMatch) ?? [];
  if (tag !== undefined && others.every((other) => other === tag)) return parsePosition(tag);
  throw new FanfareError("invalid_request", `If-Match is ${quote(ifMatch)}`, {
    remedy: 'Give one ETag as it came, with its quotes, such as "6f0d2b7c91a4e835:17"; or *.',
  });
}

/**
 * Sets the tag of what is read. Answers with 304 where the caller has it already; `null` where it has to be sent. A header that is no list
 * of tags counts as none: then the caller gets the whole.
 */
export function unlessKnown(c: Context<HttpEnv>, tag: string): Response | null {
  c.env.setHeader(c, "ETag", tag);
  const known = c.env.header("if-none-match");
  if (known === undefined) return null;
  const isKnown = known.trim() === "*" || tagsOf(known)?.includes(tag.slice(1, -1));
  return isKnown ? c.body(null, 304) : null;
}

/** Answers with a text that changes only with the server's version, or with 304. */
export function answerFile(c: Context<HttpEnv>, text: string, type: string, caching: string): Response {
  c.env.setHeader(c, "Cache-Control", caching);
  // Pages of other origins are answered with a header that names theirs.
  c.env.setHeader(c, "Vary", "Origin");
  return unlessKnown(c, `"${hash("sha1", text)}"`) ?? c.body(text, 200, { "Content-Type": type });
}

/** The tags of a list as they were when we gave them, without quotes; `null` when it is no list of tags. */
function tagsOf(header: string): string[] | null {
  const tags: string[] = [];
  for (let rest = header; rest !== ""; ) {
    const [found, tag] = TAG.exec(rest) ?? [];
    if (found === undefined || tag === undefined) return null;
    tags.push(tag.replace(ENCODING_SUFFIX, ""));
    rest = rest.slice(found.length);
  }
  return tags.length > 0 ? tags : null;
}
