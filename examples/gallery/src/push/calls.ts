/** The calls over HTTP: publish, change a state, and read the history. Each can be shown as the curl line that does the same. */
import type { Message } from "@fanfare/client";
import { isCut, PATH } from "./fanfare";
import { traffic } from "./traffic";

/** A message to publish. */
export interface Call {
  readonly channel: string;
  readonly event?: string;
  readonly data: unknown;
}

/** A change of a channel's state, as a merge patch. */
export interface Change {
  readonly channel: string;
  readonly patch: object;
}

/** A call that is about neither, such as one for a lock. */
export interface OtherCall {
  readonly method: "POST" | "PUT";
  /** Below the path of Fanfare. */
  readonly path: string;
  readonly body?: unknown;
}

export interface Position {
  readonly epoch: string;
  readonly offset: number;
}

/** The messages that a channel's log holds. */
export interface History {
  readonly epoch: string;
  /** The newest offset. */
  readonly head: number;
  /** Oldest first. */
  readonly messages: readonly Message[];
}

/** As many as the server gives at once. */
const ALL = 1000;

/** @throws Error with a sentence for people */
export async function publish({ channel, event, data }: Call): Promise<Position> {
  const answer = await ask(address(channel), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ event, data }),
  });
  if (isCut()) traffic.publishedUnheard();
  return (await answer.json()) as Position;
}

/** @throws Error with a sentence for people */
export async function patch({ channel, patch: change }: Change): Promise<void> {
  await ask(stateAddress(channel), {
    method: "PATCH",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(change),
  });
  if (isCut()) traffic.publishedUnheard();
}

/** @throws Error with a sentence for people */
export async function history(channel: string, limit = ALL): Promise<History> {
  const answer = await ask(`${address(channel)}?limit=${limit}`);
  return (await answer.json()) as History;
}

/** The newest message that the log holds; `null` when it holds none. */
export async function newest(channel: string): Promise<Message | null> {
  return (await history(channel)).messages.at(-1) ?? null;
}

export function curlLine(call: Call | Change | OtherCall): string {
  if ("method" in call) {
    const { method, path, body } = call;
    const url = new URL(`${PATH}${path}`, location.href).href;
    return `curl ${url} -X ${method}${body === undefined ? "" : ` -d ${quoteForShell(JSON.stringify(body))}`}`;
  }
  if ("patch" in call) {
    const url = new URL(stateAddress(call.channel), location.href).href;
    return `curl ${url} -X PATCH -d ${quoteForShell(JSON.stringify(call.patch))}`;
  }
  const body = JSON.stringify({ event: call.event, data: call.data });
  return `curl ${new URL(address(call.channel), location.href).href} -d ${quoteForShell(body)}`;
}

function stateAddress(channel: string): string {
  return `${PATH}/channels/${channel}/state`;
}

function address(channel: string): string {
  return `${PATH}/channels/${channel}/messages`;
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function ask(url: string, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(url, init);
  } catch {
    throw new Error("The server cannot be reached. Is it running?");
  }
  if (answer.ok) return answer;
  throw new Error(await problemIn(answer));
}

/** What a refusal says (RFC 9457); what stands between us and the server may answer with anything. */
async function problemIn(answer: Response): Promise<string> {
  const problem: unknown = await answer.json().catch(() => null);
  const { detail, remedy } = (problem ?? {}) as { detail?: unknown; remedy?: unknown };
  const said = [detail, remedy].filter((text) => typeof text === "string");
  return said.length > 0 ? said.join(" ") : `The server answered with status ${answer.status}.`;
}
