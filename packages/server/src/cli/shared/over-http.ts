/** Calls a running server over HTTP, as other servers do. */
import { parseChannelName, quote } from "@fanfare/protocol";
import { UsageError } from "../../base/usage-error.js";
import { causeOf, RemoteError } from "./remote.js";

export interface Publication {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly channel: string;
  readonly event: string | undefined;
  readonly data: unknown;
  /** Idempotency key. */
  readonly id: string | undefined;
}

/** @returns the answer: where the message stands. @throws UsageError, FanfareError `invalid_channel`, RemoteError */
export function publishOverHttp(publication: Publication): Promise<unknown> {
  const { url, apiKey, event, data, id } = publication;
  const channel = parseChannelName(publication.channel);
  return askOverHttp({
    url,
    path: `/channels/${encodeURIComponent(channel)}/messages`,
    body: { ...(event !== undefined && { event }), data },
    headers: {
      ...(apiKey !== undefined && { Authorization: `Bearer ${headerText(apiKey, "--api-key")}` }),
      ...(id !== undefined && { "Idempotency-Key": headerText(id, "--id") }),
    },
  });
}

export interface Question {
  readonly url: string;
  /** Below the server's own path. */
  readonly path: string;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Posts something, and answers with what the server says. @throws UsageError, RemoteError */
export async function askOverHttp({ url, path, body, headers }: Question): Promise<unknown> {
  const response = await send(`${baseOf(url)}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", ...headers },
    // Followed, a redirect would turn the POST into a GET, and could carry the key elsewhere.
    redirect: "manual",
  });
  const answer = await jsonOf(response);
  if (response.ok && answer !== undefined) return answer;
  throw refusalOf(response, answer);
}

async function send(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (error) {
    throw new RemoteError(
      `cannot reach ${url}: ${causeOf(error)}`,
      "Is the server running, and is --url right?",
    );
  }
}

/** The address without a slash at its end; one for WebSockets will do as well. */
function baseOf(url: string): string {
  const base = url.replace(/^ws/, "http").replace(/\/+$/, "");
  if (URL.canParse(base) && /^https?:\/\/[^?#]*$/.test(base)) return base;
  throw new UsageError(`--url is ${quote(url)}`, "Give an address such as http://localhost:3030/push.");
}

function headerText(text: string, flag: string): string {
  if (/^[\x20-\x7e]+$/.test(text)) return text;
  throw new UsageError(`${flag} has characters that a header cannot carry`, "Use visible ASCII characters.");
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

/** Fanfare sends a cause and a remedy; another server at that address does not. */
function refusalOf(response: Response, answer: unknown): Error {
  const { detail, remedy } = (answer ?? {}) as { detail?: unknown; remedy?: unknown };
  if (typeof detail === "string" && typeof remedy === "string") {
    const key = "Give a key that the server knows, as FANFARE_API_KEY or with --api-key.";
    return new RemoteError(detail, response.status === 401 ? key : remedy);
  }
  const to = response.headers.get("location");
  return new RemoteError(
    `${response.url} answers with ${response.status}${to === null ? "" : `, to ${quote(to, 200)}`}`,
    "Is that a Fanfare, and is --url right, with its path?",
  );
}
