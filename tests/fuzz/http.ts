/** HTTP requests to every address that there is: paths, queries, methods, headers and bodies. */
import fc from "fast-check";
import { exchange } from "./exchange.js";
import type { Fuzzer } from "./fuzzer.js";
import { cuts, json, name, pieces } from "./values.js";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"];

/** A name as it stands in an address: escaped, or nearly as it is. */
const inAddress = name.chain((text) =>
  fc.constantFrom(
    encodeURIComponent(text.replace(/\p{Surrogate}/gu, "")),
    text.replace(/[^\x21-\x7e]|[?#]/g, ""),
  ),
);

const query = (names: readonly string[]) =>
  fc
    .array(fc.tuple(fc.oneof(fc.constantFrom(...names), inAddress), inAddress), { maxLength: 4 })
    .map((pairs) => (pairs.length > 0 ? `?${pairs.map(([key, text]) => `${key}=${text}`).join("&")}` : ""));

const below = (...parts: readonly (string | fc.Arbitrary<string>)[]) =>
  fc
    .tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part)))
    .map((all) => `/${all.join("/")}`);

const API = fc.oneof(
  below("push/channels", inAddress, fc.constantFrom("messages", "state", "presence", "", "x")),
  below("push/channels"),
  below("push/messages"),
  below(
    "push",
    fc.constantFrom("locks", "sequences", "keys", "users", "tokens", "connections", "tickets"),
    inAddress,
  ),
  below(
    "push",
    fc.constantFrom(
      "keys",
      "users",
      "tokens",
      "access",
      "tickets",
      "health",
      "metrics",
      "openapi.json",
      "client.js",
    ),
  ),
  below("push", inAddress, inAddress),
  below("push", fc.constantFrom("", "/", "//", "../push", "%2e%2e/x")),
);

const target = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(API, query(["limit", "after", "since", "events", "channel", "user"]))
      .map((all) => all.join("")),
  },
  {
    weight: 2,
    arbitrary: query(["channel", "since", "lastEventId", "ticket", "access_token"]).map(
      (text) => `/push/sse${text}`,
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.oneof(below("orders"), below("orders", inAddress), below("orders", inAddress, inAddress)),
        query(["$limit", "$skip", "$sort[a]", "$select", "$or", "a", "a[$in]", "$in[]"]),
      )
      .map((all) => all.join("")),
  },
  {
    weight: 2,
    arbitrary: query(["EIO", "transport", "sid", "%73id", "SID", "sid[]", "t", "b64", "j"]).chain((text) =>
      fc.constantFrom(
        `/socket.io/${text}`,
        `/socket.io/?EIO=4&transport=polling&${text.slice(1)}`,
        `/socket.io/?EIO=3&transport=websocket${text.replace("?", "&")}`,
        `/socket.io${text}`,
        `/socket.io/socket.io.js${text}`,
      ),
    ),
  },
);

const headerValue = fc.oneof(
  inAddress,
  fc.string({ unit: "binary-ascii", maxLength: 40 }).map((text) => text.replace(/[^\t\x20-\x7e]/g, "")),
  fc.constantFrom(
    "*",
    '""',
    'W/"x"',
    "Bearer",
    "Bearer .",
    "Bearer a.b.c",
    "-1",
    "NaN",
    "0123456789abcdef:0",
    "\xff",
  ),
);

const header = fc.oneof(
  fc.constantFrom(
    "Origin: null",
    "Origin: http://evil.example",
    "Cookie: a=b; =; ;;",
    "Content-Type: application/json",
    "Content-Type: application/json; charset=utf-16",
    "Content-Type: application/octet-stream",
    "Content-Encoding: gzip",
    "Expect: 100-continue",
    "Transfer-Encoding: chunked",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "X-Forwarded-For: ,,[",
    "Forwarded: for=",
  ),
  fc
    .tuple(
      fc.constantFrom(
        "Authorization",
        "If-Match",
        "If-None-Match",
        "Idempotency-Key",
        "Last-Event-ID",
        "X-Csrf-Token",
        "Origin",
        "Host",
        "Accept",
        "Content-Type",
        "Content-Length",
        "X-Service-Method",
        "Sec-Fetch-Site",
        "X-HTTP-Method-Override",
      ),
      headerValue,
    )
    .map((pair) => pair.join(": ")),
);

interface Request {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** What it says of the length of its body. */
  readonly length: "right" | "too long" | "none";
  readonly version: string;
  readonly cut: readonly number[];
  readonly leaves: boolean;
}

export const httpRequests: Fuzzer<Request> = {
  name: "HTTP requests",
  cases: fc.record({
    method: fc.constantFrom("GET", "POST", ...METHODS),
    target,
    headers: fc.array(header, { maxLength: 4 }),
    body: fc.oneof(fc.constant(""), json),
    length: fc.constantFrom("right", "right", "right", "too long", "none"),
    version: fc.constantFrom("1.1", "1.1", "1.1", "1.0"),
    cut: cuts,
    leaves: fc.boolean(),
  }),
  async send({ port }, { method, target: address, headers, body, length, version, cut, leaves }) {
    const bytes = Buffer.from(body);
    const lines = [
      `${method} ${address} HTTP/${version}`,
      `Host: localhost:${port}`,
      "Connection: close",
      ...(length === "none" ? [] : [`Content-Length: ${bytes.length + (length === "right" ? 0 : 7)}`]),
      ...headers,
    ];
    const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    const all = pieces(Buffer.concat([head, bytes]), cut);
    await exchange({ port, pieces: all, leaves, enough: (answer) => answer.includes("fanfare.connected") });
  },
};
