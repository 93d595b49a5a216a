/** What is sent in the fuzz tests: values of every type, most of them nearly right, since what is quite wrong is refused at once. */
import fc from "fast-check";

/** Names that mean something to JavaScript, to an `EventEmitter`, to a URL or to this server. */
const NAMES = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "newListener",
  "removeListener",
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "error",
  "end",
  "",
  ".",
  "..",
  "%",
  "%00",
  "%2e%2e",
  "a b",
  "a/b",
  "*",
  "**",
  "$lock:a",
  "$index:orders",
  "user:{sub}:x",
  "é😀\u2028",
  "x".repeat(201),
  "orders",
  "orders:1",
  "room:1",
] as const;

const text = fc.string({ unit: "binary", maxLength: 30 });

export const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("a", "b", "room:1", "orders", "orders:1") },
  { weight: 2, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: text },
);

const position = fc.oneof(
  fc.constantFrom("0123456789abcdef:0", "0123456789abcdef:-1", "0123456789abcdef:9e99", ":", ""),
  fc.record({
    epoch: fc.constantFrom("0123456789abcdef", "x", ""),
    offset: fc.oneof(fc.integer(), fc.double()),
  }),
);

export const value = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<unknown>(
      null,
      [],
      {},
      [null],
      [[]],
      0,
      -1,
      1e308,
      Number.MAX_SAFE_INTEGER + 2,
      "",
      true,
      JSON.parse('{"__proto__":{"x":1}}'),
      { toString: 1, constructor: null },
      { length: -1 },
      { $or: [{ $or: [{}] }] },
      { _placeholder: true, num: 0 },
      "x".repeat(70_000),
    ),
  },
  { weight: 1, arbitrary: name },
);

/** Members that some call or frame knows, each with a value that it may have or not. */
export const members = fc.record(
  {
    type: fc.oneof(
      fc.constantFrom(
        "connect",
        "subscribe",
        "unsubscribe",
        "publish",
        "patch",
        "lock",
        "unlock",
        "next",
        "ping",
        "token",
      ),
      value,
    ),
    request: fc.oneof(fc.integer(), value),
    channel: fc.oneof(name, value),
    channels: fc.oneof(
      fc.array(fc.oneof(name, fc.record({ channel: name, since: position })), { maxLength: 4 }),
      value,
    ),
    since: fc.oneof(position, value),
    state: value,
    data: value,
    event: fc.oneof(name, value),
    id: fc.oneof(name, value),
    patch: value,
    ifVersion: fc.oneof(position, value),
    token: fc.oneof(name, value),
    csrf: value,
    session: fc.oneof(name, value),
    count: fc.oneof(fc.integer(), value),
    name,
    leaseSeconds: value,
    messages: fc.oneof(fc.array(fc.record({ channel: name, data: value }), { maxLength: 3 }), value),
    pid: value,
    offset: value,
  },
  { requiredKeys: [] },
);

/** A JSON text, or what was meant to be one. */
export const json = fc.oneof(
  { weight: 6, arbitrary: fc.oneof(members, value).map((each) => JSON.stringify(each) ?? "") },
  { weight: 1, arbitrary: fc.oneof(members, value).map((each) => (JSON.stringify(each) ?? "").slice(0, -1)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "[",
      "{",
      "nul",
      "[".repeat(5000),
      '{"a":'.repeat(2000),
      "1e999",
      "\u0000",
    ),
  },
  { weight: 1, arbitrary: text },
);

/** Bytes in pieces, as TCP may bring them. */
export const pieces = (bytes: Buffer, cuts: readonly number[]): Buffer[] => {
  const at = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].sort((a, b) => a - b);
  return at.map((end, index) => bytes.subarray(at[index - 1] ?? 0, end));
};

export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 });
