/**
 * Who, where and how: the tables over which access is tested. A new principal, action, door or HTTP call adds a row here, and is
 * tested against all others.
 */
import { ACTIONS, type Action } from "../../packages/server/src/access/grants/actions.js";
import { type Grant, signToken } from "../../packages/server/src/index.js";
import { Client } from "../doors/client.js";
import { EventStream, StreamRefused } from "../doors/event-stream.js";
import { SOCKETIO_WAYS } from "./socketio-ways.js";

export const SECRET = "the-secret-of-the-tests-0123456789abcdef";

export interface Row {
  readonly name: string;
  /** What may be done, with `{sub}` filled in. */
  readonly grants: readonly Grant[];
  /** What it shows: nothing, an API key or a token. */
  readonly credential: () => Promise<string | undefined> | string | undefined;
}

const EVERYTHING: readonly Grant[] = [{ channels: "**", actions: ["*", "admin"] }];
const ORDERS: readonly Grant[] = [
  { channels: "order:*", actions: ["publish", "token"] },
  { channels: "order:1", actions: ["history"] },
];
export const ANONYMOUS: readonly Grant[] = [{ channels: "public:**", actions: ["subscribe", "history"] }];

/** The keys that the server of the tests knows. */
export const KEYS = [
  { key: "0123456789-everything" },
  { key: "0123456789-orders", name: "orders", grants: ORDERS },
  { key: "0123456789-admin", name: "admin", grants: [{ channels: "**", actions: ["admin"] }] },
] as const;

const tokenOf = (user: string, grants: readonly Grant[]) => async () =>
  (await signToken({ secret: SECRET, user, grants })).token;

export const PRINCIPALS: readonly Row[] = [
  { name: "nobody", grants: ANONYMOUS, credential: () => undefined },
  { name: "the key for everything", grants: EVERYTHING, credential: () => KEYS[0].key },
  { name: "the key for orders", grants: ORDERS, credential: () => KEYS[1].key },
  { name: "the key that looks after the server", grants: KEYS[2].grants, credential: () => KEYS[2].key },
  { name: "a user without grants", grants: [], credential: tokenOf("bob", []) },
  {
    name: "a user with grants",
    grants: [
      { channels: "order:1", actions: ["subscribe", "publish"] },
      { channels: "user:alice:*", actions: ["*"] },
    ],
    credential: tokenOf("alice", [
      { channels: "order:1", actions: ["subscribe", "publish"] },
      { channels: "user:{sub}:*", actions: ["*"] },
    ]),
  },
  {
    name: "a user called *",
    grants: [{ channels: "user:~Kg:*", actions: ["subscribe"] }],
    credential: tokenOf("*", [{ channels: "user:{sub}:*", actions: ["subscribe"] }]),
  },
];

export const CHANNELS = [
  "order:1",
  "order:2",
  "order:1:2",
  "public:a:b",
  "user:alice:x",
  "user:~Kg:x",
  "user",
];

/** Does one of the grants allow it? Segment by segment, as the protocol says it; shares no code with the server. */
export function granted(grants: readonly Grant[], action: Action, channel: string | null): boolean {
  const covers = (pattern: readonly string[], name: readonly string[]): boolean => {
    const [wanted, ...more] = pattern;
    const [segment, ...rest] = name;
    if (wanted === undefined || segment === undefined) return wanted === segment;
    if (wanted === "**") return true;
    return (wanted === "*" || wanted === segment) && covers(more, rest);
  };
  return grants.some(({ channels, actions }) => {
    const named = actions.includes(action) || (actions.includes("*") && ACTIONS[action].on === "channel");
    const where = channel === null ? channels === "**" : covers(channels.split(":"), channel.split(":"));
    return named && where;
  });
}

export interface Served {
  /** Where HTTP requests go. */
  readonly http: string;
  /** Where WebSockets are opened. */
  readonly url: string;
}

export interface Way {
  /** The door and its frame, or the method and address of HTTP. */
  readonly name: string;
  readonly action: Action;
  /** The channels for which there is such a call. @default all */
  readonly on?: (channel: string) => boolean;
  /** Tries it, and tells whether it was allowed. */
  readonly allowed: (served: Served, credential: string | undefined, channel: string) => Promise<boolean>;
}

/** An HTTP call; any answer but a refusal says that it was allowed. */
function http(action: Action, method: string, path: string, body?: (channel: string) => object): Way {
  return {
    name: `${method} ${path}`,
    action,
    async allowed(served, credential, channel) {
      const address = path.replace(/:(\w+)/g, (_, part) =>
        part === "channel" || part === "name" ? channel : "x",
      );
      const answer = await fetch(`${served.http}${address}`, {
        method,
        headers: credential === undefined ? {} : { Authorization: `Bearer ${credential}` },
        ...(body && { body: JSON.stringify(body(channel)) }),
      });
      await answer.arrayBuffer();
      if (credential !== undefined && answer.status === 401) throw new Error(`${credential} was not known`);
      return answer.status !== 401 && answer.status !== 403;
    },
  };
}

async function connected({ url }: Served, credential: string | undefined): Promise<Client> {
  const client = await Client.open(url);
  await client.connect(credential === undefined ? {} : { token: credential });
  return client;
}

/** A frame that changes something; a client that may not is told so, and keeps its connection. */
function sending(type: "publish" | "patch" | "lock" | "next", what: object): Way {
  return {
    name: `WebSocket ${type}`,
    action: type === "next" ? "sequence" : type,
    async allowed(served, credential, channel) {
      const client = await connected(served, credential);
      const answer = await client.ask({ type, channel, name: channel, ...what });
      await client.alive();
      client.vanish();
      if (answer.type === "ok") return true;
      if (answer.type !== "error" || answer.code !== "forbidden") throw new Error(JSON.stringify(answer));
      return false;
    },
  };
}

const bearer = (credential: string | undefined) =>
  credential === undefined ? {} : { Authorization: `Bearer ${credential}` };

/** A stream of events: what its address names is allowed as a whole, or refused. */
const STREAM: Way = {
  name: "GET /sse",
  action: "subscribe",
  async allowed(served, credential, channel) {
    try {
      const stream = await EventStream.open(`${served.http}/sse?channel=${channel}`, {
        headers: bearer(credential),
      });
      await stream.next("subscribed");
      stream.vanish();
      return true;
    } catch (error) {
      if (error instanceof StreamRefused && (error.status === 401 || error.status === 403)) return false;
      throw error;
    }
  },
};

/** The same for a client that is told of each channel. */
const STREAM_FOR: Way = {
  name: "POST /sse",
  action: "subscribe",
  async allowed(served, credential, channel) {
    const stream = await EventStream.open(`${served.http}/sse`, {
      method: "POST",
      headers: bearer(credential),
      body: { channels: [{ channel }] },
    });
    const { name } = await stream.own.nextThat((event) => /subscribed|error/.test(event.name));
    stream.vanish();
    return name === "fanfare.subscribed";
  },
};

/** @param prefix of one of the server's own channels, which goes by the grants for the name that follows */
function subscribing(prefix: string): Way {
  return {
    name: `WebSocket subscribe ${prefix}`.trim(),
    action: "subscribe",
    async allowed(served, credential, channel) {
      const client = await connected(served, credential);
      const answer = await client.ask({ type: "subscribe", channel: `${prefix}${channel}` });
      await client.leave();
      return answer.type === "subscribed";
    },
  };
}

export const WAYS: readonly Way[] = [
  subscribing(""),
  {
    name: "WebSocket subscribe, many at once",
    action: "subscribe",
    async allowed(served, credential, channel) {
      const client = await connected(served, credential);
      const answer = await client.ask({ type: "subscribe", channels: [{ channel }] });
      await client.leave();
      return answer.type === "subscribed";
    },
  },
  STREAM,
  STREAM_FOR,
  http("subscribe", "POST", "/tickets", (channel) => ({ channels: [channel] })),
  sending("publish", { data: 1 }),
  sending("patch", { patch: { n: 1 } }),
  sending("lock", {}),
  sending("next", {}),
  subscribing("$lock:"),
  subscribing("$sequence:"),
  http("publish", "POST", "/channels/:channel/messages", () => ({ data: 1 })),
  http("publish", "POST", "/messages", (channel) => ({ messages: [{ channel, data: 1 }] })),
  {
    ...http("publish", "POST", "/messages", (channel) => ({ channels: [channel], data: 1 })),
    name: "POST of one message to many channels",
  },
  http("history", "GET", "/channels/:channel/messages"),
  http("history", "GET", "/channels/:channel/state"),
  {
    name: "WebSocket subscribed, with who is present",
    action: "presence",
    async allowed(served, credential, channel) {
      const client = await connected(served, credential);
      const answer = await client.ask({ type: "subscribe", channel });
      await client.leave();
      return "presence" in answer;
    },
  },
  http("presence", "GET", "/channels/:channel/presence"),
  http("patch", "PATCH", "/channels/:channel/state", () => ({ n: 1 })),
  http("patch", "PUT", "/channels/:channel/state", () => ({ n: 1 })),
  http("patch", "DELETE", "/channels/:channel/state"),
  http("lock", "PUT", "/locks/:name", () => ({})),
  http("lock", "DELETE", "/locks/:name"),
  http("subscribe", "GET", "/locks/:name"),
  http("sequence", "POST", "/sequences/:name/next", () => ({})),
  http("subscribe", "GET", "/sequences/:name"),
  http("token", "POST", "/tokens", (channel) => ({
    user: "carol",
    grants: [{ channels: channel, actions: ["token"] }],
  })),
  http("admin", "GET", "/channels"),
  http("admin", "GET", "/owners"),
  http("admin", "DELETE", "/channels/:channel"),
  http("admin", "DELETE", "/sequences/:name"),
  http("admin", "DELETE", "/locks/:name/holder"),
  http("admin", "GET", "/connections"),
  http("admin", "GET", "/connections/:connection"),
  http("admin", "DELETE", "/connections/:connection"),
  http("admin", "GET", "/keys"),
  http("admin", "POST", "/keys", () => ({ name: "" })),
  http("admin", "DELETE", "/keys/:id"),
  http("admin", "DELETE", "/tokens/:token"),
  http("admin", "DELETE", "/users/:user"),
  http("admin", "POST", "/revocations", () => ({ user: "x" })),
  http("admin", "GET", "/metrics"),
  ...SOCKETIO_WAYS,
];
