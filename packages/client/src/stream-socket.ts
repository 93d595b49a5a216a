/**
 * What takes the place of a WebSocket where those are blocked: frames come as Server-Sent Events, and go as HTTP requests. To the
 * link it looks like a socket. A stream carries fixed channels, so another set of them is another stream, which goes on where the
 * last one was.
 */

import { shown } from "@fanfare/protocol";
import type { ClientClock, Fetch, SocketLike } from "./client-options.js";
import { stopwatch } from "./environment.js";
import { readEvents } from "./read-events.js";
import type { Position } from "./types.js";

const LOST = 1006;
/** The code of answers that are not from our server. */
const UNKNOWN = "unavailable";
/** Comments come at least every 25 seconds. */
const SILENT_MS = 30_000;

/** A frame, as far as this file looks into it. */
interface Frame {
  readonly type: string;
  readonly request?: number;
  readonly channel?: string;
  readonly [field: string]: unknown;
}

interface Wanted {
  since?: Position | undefined;
  readonly state?: boolean | undefined;
  /** The request that has not been answered. */
  request?: number | undefined;
}

/** What an event of the stream holds, as far as this file looks into it. */
interface Fields {
  readonly channel?: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly to?: number;
  readonly recovered?: boolean;
  readonly reason?: string;
  readonly state?: unknown;
  readonly stateOffset?: number;
  readonly code?: unknown;
  readonly message?: string;
  readonly retryAfterSeconds?: number;
}

/** An HTTP request that does what a frame asks for. */
interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

export class StreamSocket implements SocketLike {
  readyState = 0;
  onopen: SocketLike["onopen"] = null;
  onmessage: SocketLike["onmessage"] = null;
  onclose: SocketLike["onclose"] = null;
  onerror: SocketLike["onerror"] = null;
  /** Requests that have not been answered. */
  asking = 0;
  readonly #url: URL;
  readonly #fetch: Fetch;
  readonly #clock: ClientClock;
  readonly #csrf: () => string | undefined;
  readonly #wanted = new Map<string, Wanted>();
  /** One after the other: what is published in order is to arrive so. */
  #asked: Promise<void> = Promise.resolve();
  /** Sent with every request. */
  readonly #headers: Record<string, string> = {};
  /** Ends the stream that there is. */
  #abort: AbortController | null = null;
  #silentMs = () => 0;
  #begun = false;
  #openDue = false;

  /** @param csrf is asked before each request, since pages get new ones */
  constructor(url: string, fetch: Fetch, clock: ClientClock, csrf: () => string | undefined) {
    this.#url = new URL(url.replace(/^ws/, "http"));
    this.#fetch = fetch;
    this.#clock = clock;
    this.#csrf = csrf;
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.onopen?.({} as never);
    });
  }

  send(text: string): void {
    const frame = JSON.parse(text) as Frame;
    switch (frame.type) {
      case "connect":
      case "token":
        if (frame.publisher) this.#headers["Fanfare-Publisher"] = String(frame.publisher);
        if (frame.token) this.#headers.Authorization = `Bearer ${frame.token}`;
        this.#openSoon();
        return;
      case "ping":
        if (this.#silentMs() > SILENT_MS) this.#lose("The server has fallen silent.");
        else this.#say({ type: "pong" });
        return;
      case "subscribe":
        for (const { channel, ...item } of frame.channels as (Wanted & { channel: string })[]) {
          this.#wanted.set(channel, { ...item, request: frame.request });
        }
        this.#openSoon();
        return;
      case "unsubscribe":
        for (const name of frame.channels as string[]) this.#wanted.delete(name);
        this.#openSoon();
        queueMicrotask(() => this.#say({ type: "ok", request: frame.request }));
        return;
      default:
        this.asking++;
        this.#asked = this.#asked.then(() => this.#ask(frame));
    }
  }

  close(): void {
    this.readyState = 3;
    this.#abort?.abort();
  }

  // ---- the stream

  /** Requests in one go become one stream. */
  #openSoon(): void {
    if (this.#openDue) return;
    this.#openDue = true;
    queueMicrotask(() => {
      this.#openDue = false;
      if (this.readyState === 1) void this.#open();
    });
  }

  async #open(): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const { signal } = abort;
    const heard = () => {
      this.#silentMs = stopwatch(this.#clock);
    };
    heard();
    try {
      const channels = [...this.#wanted].map(([channel, { since, state }]) => ({ channel, since, state }));
      const response = await this.#call({ method: "POST", path: "/sse", body: { channels } }, signal);
      if (response.ok && response.body) {
        await readEvents(response.body, heard, (name, data) => signal.aborted || this.#event(name, data));
        if (!signal.aborted) this.#lose();
      } else {
        const { code, detail, retryAfterSeconds } = await problemIn(response);
        if (signal.aborted) return;
        if (retryAfterSeconds)
          this.#say({ type: "error", code, message: detail, remedy: "", retryAfterSeconds });
        // It would be refused each time, unless something on the way to the server did.
        const isOnTheWay = response.status === 400 && code === UNKNOWN;
        this.#lose(detail, isOnTheWay ? LOST : CLOSE_CODES[response.status]);
      }
    } catch {
      if (!signal.aborted) this.#lose();
    }
  }

  #event(name: string, data: string): void {
    const type = name.startsWith("fanfare.") ? name.slice(8) : "message";
    if (type === "cursor") return;
    const fields = JSON.parse(data) as Fields;
    const {
      channel = "",
      epoch = "",
      offset = 0,
      code,
      reason = "",
      message = "",
      retryAfterSeconds,
    } = fields;
    if (type === "connected") {
      this.#say({ type: this.#begun ? "token" : type, resumed: false, ...fields });
      this.#begun = true;
      return;
    }
    if (type === "grants") {
      this.#say({ type });
      return;
    }
    if (type === "closed") {
      if (retryAfterSeconds !== undefined) this.#say({ type: "goodbye", retryAfterSeconds });
      this.#lose(reason, Number(code));
      return;
    }
    const wanted = this.#wanted.get(channel);
    if (!wanted) return;
    const { request, since } = wanted;
    if (type === "subscribed") {
      wanted.request = undefined;
      wanted.since = { epoch, offset };
      if (request !== undefined) this.#say({ type, request, ...fields });
      else if (!fields.recovered) this.#missed(since, fields);
      return;
    }
    if (type === "error") {
      this.#wanted.delete(channel);
      if (request !== undefined) this.#say({ type, request, ...fields });
      else if (code === "forbidden") this.#say({ type: "unsubscribed", channel, code });
      else this.#lose(message);
      return;
    }
    if (type === "unsubscribed") this.#wanted.delete(channel);
    else if (type === "gap") wanted.since = { epoch, offset: fields.to ?? 0 };
    // A state that is said again, or who is there, moves nothing.
    else if (since) wanted.since = { epoch: since.epoch, offset: Math.max(since.offset, offset) };
    this.#say({ type, ...fields });
  }

  /** The stream after this one could not go on where it was. To the client, whose subscription stands, that is a gap. */
  #missed(since: Position | undefined, fields: Fields): void {
    const { channel, epoch, offset = 0, reason = "restarted", state, stateOffset } = fields;
    const from = since && epoch === since.epoch ? since.offset + 1 : 1;
    // A client that may not read the history is told the same when there was nothing.
    if (from === 1 || from <= offset) this.#say({ type: "gap", channel, epoch, from, to: offset, reason });
    if (state !== undefined) {
      this.#say({ type: "state", channel, from: stateOffset, offset: stateOffset, value: state });
    }
  }

  // ---- requests

  async #ask({ request, channel, ...frame }: Frame): Promise<void> {
    const call = callOf(channel ?? "", frame);
    try {
      if (this.readyState !== 1) return;
      if (typeof call === "string") {
        this.#say({ type: "error", request, channel, code: "needs_websocket", message: call, remedy: LATER });
        return;
      }
      const answer = await this.#call(call);
      const body: Answer = answer.ok ? await answer.json() : await problemIn(answer);
      const { code, detail, remedy, retryAfterSeconds, epoch, offset } = body.results?.[0] ?? body;
      if (code) {
        // To HTTP each request could log in; this client is anonymous, as on a WebSocket.
        const isAnonymous = code === "not_logged_in" && !this.#headers.Authorization;
        this.#say({
          type: "error",
          request,
          channel,
          code: isAnonymous ? "forbidden" : code,
          message: detail,
          remedy,
          retryAfterSeconds,
        });
      } else this.#say({ type: "ok", request, channel, epoch, offset });
    } catch {
      // It is not known what became of it, as when a socket is lost.
      this.#lose();
    } finally {
      this.asking--;
    }
  }

  #call({ method, path, body, headers }: Call, signal?: AbortSignal): Promise<Response> {
    const url = new URL(this.#url);
    url.pathname = url.pathname.replace(/\/$/, "") + path;
    const csrf = this.#csrf();
    return this.#fetch(url, {
      method,
      headers: {
        "Content-Type": "application/json",
        ...this.#headers,
        ...(csrf && { "X-Csrf-Token": csrf }),
        ...headers,
      },
      body: JSON.stringify(body),
      // As a WebSocket does, also to another origin.
      credentials: "include",
      ...(signal && { signal }),
    });
  }

  // ---- what the link hears

  #say(frame: object): void {
    if (this.readyState === 1) this.onmessage?.({ data: JSON.stringify(frame) } as never);
  }

  #lose(reason = "", code = LOST): void {
    if (this.readyState === 3) return;
    this.close();
    this.onclose?.({ code, reason } as never);
  }
}

/** A position, or a problem (RFC 9457), or one of these for each of several. */
interface Answer {
  readonly results?: readonly Answer[];
  readonly epoch?: string;
  readonly offset?: number;
  readonly code?: string;
  readonly detail?: string;
  readonly remedy?: string;
  readonly retryAfterSeconds?: number;
}

/** What an answer other than a stream means, in close codes; any other is tried again. */
const CLOSE_CODES: Readonly<Record<number, number>> = { 400: 4400, 401: 4401, 429: 4429 };

const LATER = "Try again when the transport is websocket.";
/** A text that stands in a header as it is. */
const HEADER = /^[!-~]([ -~]*[!-~])?$/;

/** @returns in place of the request, why there is none */
function callOf(
  channel: string,
  { type, event, data, id, patch, ifVersion }: Record<string, unknown>,
): Call | string {
  const headers: Record<string, string> = {};
  const isHeader = HEADER.test(String(id));
  if (id !== undefined && isHeader) headers["Idempotency-Key"] = String(id);
  if (type === "publish") {
    // A batch has the id in its body.
    return isHeader
      ? { method: "POST", path: `/channels/${channel}/messages`, body: { event, data }, headers }
      : { method: "POST", path: "/messages", body: { messages: [{ channel, event, data, id }] } };
  }
  if (type !== "patch") return "WebSockets are blocked here";
  if (!isHeader) return `WebSockets are blocked here, and no header can carry the id ${shown(id)}`;
  const version = ifVersion as Position | null | undefined;
  if (version) headers["If-Match"] = `"${version.epoch}:${version.offset}"`;
  else if (version === null) headers["If-None-Match"] = "*";
  return { method: "PATCH", path: `/channels/${channel}/state`, body: patch, headers };
}

/** What a refusal says; what comes from something in between has no code of ours, and says nothing. */
async function problemIn(response: Response): Promise<Answer> {
  const found: Answer | null = await response.json().catch(() => null);
  return found?.code
    ? found
    : { code: UNKNOWN, detail: `The server answered ${response.status}.`, remedy: "Try again." };
}
