/**
 * Close codes and error codes as data: what each means, whether the client may come back, and what to do.
 * PROTOCOL.md prints these tables; a test holds the two together.
 */

/** The meaning of a WebSocket close code. */
export interface CloseCode {
  readonly code: number;
  readonly meaning: string;
  /** May the client come back by itself, with the same words? */
  readonly reconnect: boolean;
  /** For codes after which the client stays away. `REMEDIES_OF_RETURN` has the others. */
  readonly remedy?: string;
}

/** Every close code that a Fanfare server sends, or that the WebSocket layer below it may send; in PROTOCOL.md by these names. */
export const CLOSE = {
  normal: {
    code: 1000,
    meaning: "The client left; its session ended.",
    reconnect: false,
    remedy: "Nothing to do.",
  },
  goingAway: {
    code: 1001,
    meaning: "The page was left; its session ended.",
    reconnect: false,
    remedy: "Nothing to do.",
  },
  protocolError: {
    code: 1002,
    meaning: "The bytes were no valid WebSocket frames. Means the same as 4400.",
    reconnect: false,
    remedy: "Use a WebSocket library that follows RFC 6455.",
  },
  invalidText: {
    code: 1007,
    meaning: "A text frame was no valid UTF-8. Means the same as 4400.",
    reconnect: false,
    remedy: "Send JSON as UTF-8 text.",
  },
  tooFragmented: {
    code: 1008,
    meaning: "A message came in far too many pieces. Means the same as 4400.",
    reconnect: false,
    remedy: "Send each message as one frame.",
  },
  frameTooBig: {
    code: 1009,
    meaning: "A frame was larger than the server reads at all. Means the same as 4413.",
    reconnect: false,
    remedy: "Send less at once; split batches at 32 KiB.",
  },
  internal: {
    code: 1011,
    meaning: "The server failed; it has written the cause to its log.",
    reconnect: true,
  },
  restart: {
    code: 1012,
    meaning: "The server restarts or stops.",
    reconnect: true,
  },
  tryAgainLater: {
    code: 1013,
    meaning: "The server has no room for what waits for this client, or for one more client.",
    reconnect: true,
  },
  malformed: {
    code: 4400,
    meaning: "A frame that is not part of the protocol, or not at this point.",
    reconnect: false,
    remedy: "Mend the client; the close reason names what was wrong.",
  },
  notLoggedIn: {
    code: 4401,
    meaning: "The token or session is invalid or has expired.",
    reconnect: false,
    remedy: "Log in again, then connect with the new token.",
  },
  notAllowed: {
    code: 4403,
    meaning: "The client asked more than 20 times in a minute for what it may not do.",
    reconnect: false,
    remedy: "Ask for the grant, or stop asking; the close reason names the action.",
  },
  connectTimeout: {
    code: 4408,
    meaning: "No `connect` frame arrived in time.",
    reconnect: true,
  },
  resumedElsewhere: {
    code: 4409,
    meaning: "A newer connection has resumed this one's session.",
    reconnect: false,
    remedy: "Nothing to do: the newer connection goes on.",
  },
  disconnected: {
    code: 4410,
    meaning: "An administrator ended this connection; its session ended.",
    reconnect: false,
    remedy: "Nothing to do by itself; the page may connect anew when its user asks for it.",
  },
  tooBig: {
    code: 4413,
    meaning: "A frame that carries no message is larger than the limit.",
    reconnect: false,
    remedy: "Split batches at 32 KiB.",
  },
  tooFast: {
    code: 4429,
    meaning: "The client went on sending over its rate after it had been told.",
    reconnect: true,
  },
} as const satisfies Record<string, CloseCode>;

/**
 * Remedies of the other close codes, for documents. Clients come back by themselves and show none of them, so they do not load
 * this.
 */
export const REMEDIES_OF_RETURN: Readonly<Record<string, string>> = {
  internal: "Come back; if it stays, report it with the server's log.",
  restart: "Come back after the `retryAfterSeconds` of the `goodbye` frame.",
  tryAgainLater: "Come back later, with the positions that were reached.",
  connectTimeout: "Send `connect` as the first frame, as soon as the socket is open.",
  tooFast: "Come back after the `retryAfterSeconds` of the last `error`, and send less often.",
};

/** The meaning of an error code: in an `error` frame, and in an HTTP problem (RFC 9457) with this status. */
export interface ErrorMeaning {
  /** The status of the HTTP answer that carries this code. */
  readonly status: number;
  readonly meaning: string;
  /** The remedy, where the place that raises the error knows nothing better. */
  readonly remedy: string;
}

/** Every error code. They are stable: programs may compare them. */
export const ERRORS = {
  invalid_channel: {
    status: 400,
    meaning: "The text is no channel name.",
    remedy: "Use 1 to 200 characters of A-Z a-z 0-9 _ - . = @ , ; ~ in segments split by a colon.",
  },
  invalid_pattern: {
    status: 400,
    meaning: "The text is no channel pattern.",
    remedy: "Use channel name segments, * for one segment, and ** as the last segment for one or more.",
  },
  invalid_position: {
    status: 400,
    meaning: "The value is no position.",
    remedy: "Use a position exactly as the server gave it: 16 hexadecimal characters and an offset.",
  },
  invalid_grants: {
    status: 400,
    meaning: "The value is no list of grants.",
    remedy:
      'Use a list such as [{"channels": "order:*", "actions": ["subscribe"]}], with names of actions that the server has.',
  },
  invalid_json: {
    status: 400,
    meaning: "The text is no JSON, or no UTF-8.",
    remedy: "Send JSON (RFC 8259) as UTF-8.",
  },
  invalid_value: {
    status: 400,
    meaning: "The value cannot be carried as JSON without loss.",
    remedy: "Send finite numbers, 64-bit integers as strings, and at most 32 levels.",
  },
  invalid_request: {
    status: 400,
    meaning: "A field is missing or has the wrong form.",
    remedy: "Compare the request with the documentation; the message names the field.",
  },
  not_logged_in: {
    status: 401,
    meaning: "The caller has to say who it is, and did not, or the key or token is wrong or has expired.",
    remedy: "Send the header `Authorization: Bearer <key or token>` with one that the server accepts.",
  },
  forbidden: {
    status: 403,
    meaning: "The caller may not do this.",
    remedy: "Ask for a grant that covers this action on this channel.",
  },
  origin_not_allowed: {
    status: 403,
    meaning: "A browser page of another origin called.",
    remedy: "Open the page from the server's own address, or add its origin to `allowedOrigins`.",
  },
  not_found: { status: 404, meaning: "There is nothing at this address.", remedy: "Compare the address." },
  method_not_allowed: {
    status: 405,
    meaning: "The address exists, but not for this method.",
    remedy: "Use one of the methods in the `Allow` header.",
  },
  request_timeout: {
    status: 408,
    meaning: "The request did not come whole in time.",
    remedy: "Send the whole request at once; the same idempotency key makes it safe to repeat.",
  },
  already_subscribed: {
    status: 409,
    meaning: "The connection has a subscription to this channel.",
    remedy: "Use the one there is, or unsubscribe first.",
  },
  not_subscribed: {
    status: 409,
    meaning: "The connection has no subscription to this channel.",
    remedy: "Unsubscribe only from what was subscribed.",
  },
  locked: {
    status: 409,
    meaning: "Somebody else holds the lock.",
    remedy: "Wait until it is free, or until its lease ends; the answer says who holds it, and until when.",
  },
  lock_lost: {
    status: 409,
    meaning: "The caller does not hold the lock with this token any more.",
    remedy: "Stop what was done under the lock, since somebody else may be doing it; take it anew.",
  },
  sequence_exhausted: {
    status: 409,
    meaning: "The sequence has no further numbers: they end at 2^53 − 1.",
    remedy: "Go on with another sequence.",
  },
  version_mismatch: {
    status: 412,
    meaning: "The state is not the one that was expected: somebody has changed it.",
    remedy: "Read the state that comes with the answer, decide again, and send its version.",
  },
  too_large: {
    status: 413,
    meaning: "The message or request is larger than the limit.",
    remedy: "Send less, or send a reference to the data; the limit is configurable.",
  },
  unsupported_media_type: {
    status: 415,
    meaning: "The body is not of the type that this address takes.",
    remedy: "Send `Content-Type: application/json`.",
  },
  host_not_allowed: {
    status: 421,
    meaning: "The request was meant for another host name.",
    remedy: "Use a host name that this server answers to.",
  },
  invalid_data: {
    status: 422,
    meaning: "The value is not what its channel carries.",
    remedy: "Compare it with the definition of the channel; the message names what is wrong, and where.",
  },
  id_reused: {
    status: 422,
    meaning: "The id (idempotency key) was used for another message.",
    remedy: "Use a new id for each message, and the same id only to repeat the same message.",
  },
  upgrade_required: {
    status: 426,
    meaning: "This address speaks WebSocket only.",
    remedy: "Open it with a WebSocket client.",
  },
  rate_limited: {
    status: 429,
    meaning: "Too much at once.",
    remedy: "Wait for `retryAfterSeconds`.",
  },
  headers_too_large: {
    status: 431,
    meaning: "The address and the headers together are larger than the server reads.",
    remedy: "Name fewer channels at once, or send fewer cookies.",
  },
  too_many_subscriptions: {
    status: 429,
    meaning: "The connection has as many subscriptions as it may have.",
    remedy: "Unsubscribe from what is not needed, or raise `limits.subscriptionsPerConnection`.",
  },
  too_many_locks: {
    status: 429,
    meaning: "The session holds as many locks as it may hold.",
    remedy: "Release those that are not needed, or raise `limits.locksPerConnection`.",
  },
  share_used_up: {
    status: 429,
    meaning: "The user, or the address of an anonymous caller, has as much as one may have.",
    remedy: "Remove, close or unsubscribe what is not needed, or raise the limit that the remedy names.",
  },
  internal: {
    status: 500,
    meaning: "The server failed; it has written the cause to its log.",
    remedy: "Try again; if it stays, report it with the server's log.",
  },
  not_configured: {
    status: 501,
    meaning: "The server is not set up for this.",
    remedy: "Set the option that the message names.",
  },
  too_many_connections: {
    status: 503,
    meaning: "The process has as many connections as it may have, or its memory is full.",
    remedy: "Come back later, or raise `limits.connections`.",
  },
  too_many_channels: {
    status: 503,
    meaning: "There are as many channels as there may be, or the memory of the process is full.",
    remedy: "Use fewer channels, or raise `limits.channels`.",
  },
  unavailable: {
    status: 503,
    meaning: "The place where channels are kept cannot be reached, or the server stops.",
    remedy: "Try again with the same idempotency key.",
  },
  insufficient_storage: {
    status: 507,
    meaning: "There is too little room for what is published; nothing was lost.",
    remedy:
      "Make room on the disk of `dataDir`, or give the process more memory; until then everything else goes on.",
  },
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof ERRORS;

/** Codes of errors that a server throws while it is set up. They do not travel, so they have no status. */
export const SETUP_ERRORS = {
  invalid_rule: "Compare the rule with the documentation.",
  invalid_channel_definition: "Compare the definition with docs/typed-channels.md.",
  reserved_path: "Choose another path, such as /push.",
  single_node_engine: "Run one process, or use an engine that processes share.",
  data_dir_in_use: "Stop the other process, or give another dataDir.",
  data_dir_unreadable: "Make the folder readable and writable for the server.",
  data_dir_damaged: "Put a backup in its place (see docs/storage.md), or give another dataDir.",
  data_dir_other_format: "Use the version that wrote it, or give another dataDir.",
  data_dir_no_room: "Make room on the disk.",
} as const;

export type SetupCode = keyof typeof SETUP_ERRORS;
