/** What a call is given and does not know is mostly misspelt: it is refused by its name, and nothing happens. */
import { describe, expect, test } from "vitest";
import { problemOf, serve } from "../library/serve.js";

const channel = "a";
const grants = [{ channels: "a", actions: ["subscribe"] }];
const data = 1;
const EPOCH = "0123456789abcdef";

interface Row {
  readonly call: string;
  readonly body: unknown;
  readonly detail: string;
  readonly remedy: string;
}

const BODIES: readonly Row[] = [
  {
    call: "POST /channels/a/messages",
    body: { data, evnt: "x" },
    detail: 'body has "evnt", which is not known',
    remedy: "Did you mean event? Use event, data.",
  },
  {
    call: "POST /channels/a/messages",
    body: { dta: 1 },
    detail: 'body has "dta", which is not known',
    remedy: "Did you mean data? Use event, data.",
  },
  {
    call: "POST /channels/a/messages",
    body: { data, user: "root" },
    detail: 'body has "user", which is not known',
    remedy: "Use event, data.",
  },
  {
    call: "POST /messages",
    body: {
      messages: [
        { channel, data },
        { channel, data, evnt: "x" },
      ],
    },
    detail: 'body.messages[1] has "evnt", which is not known',
    remedy: "Did you mean event? Use channel, event, data, id.",
  },
  {
    call: "POST /messages",
    body: { mesages: [{ channel, data }] },
    detail: 'body has "mesages", which is not known',
    remedy: "Did you mean messages? Use messages, channels, event, data, id.",
  },
  {
    call: "POST /messages",
    body: { messages: [{ channel, data }], event: "x" },
    detail: 'body has "event", which is not known',
    remedy: "Use messages.",
  },
  {
    call: "POST /messages",
    body: { chanels: [channel], data },
    detail: 'body has "chanels", which is not known',
    remedy: "Did you mean channels? Use messages, channels, event, data, id.",
  },
  {
    call: "POST /messages",
    body: { channels: [channel], data, evnt: "x" },
    detail: 'body has "evnt", which is not known',
    remedy: "Did you mean event? Use messages, channels, event, data, id.",
  },
  {
    call: "POST /sequences/a/next",
    body: { coun: 10 },
    detail: 'body has "coun", which is not known',
    remedy: "Did you mean count? Use count, start.",
  },
  {
    call: "PUT /locks/a",
    body: { leaseSecond: 5000, lease: 5000 },
    detail: 'body has "leaseSecond", which is not known',
    remedy: "Did you mean leaseSeconds? Use leaseSeconds, token, info.",
  },
  {
    call: "POST /tokens",
    body: { user: "alice", grants, expiresIn: 60 },
    detail: 'body has "expiresIn", which is not known',
    remedy: "Use user, grants, expiresInSeconds, info.",
  },
  {
    call: "POST /tokens",
    body: { user: "alice", grants: [{ ...grants[0], until: 1 }] },
    detail: 'body.grants[0] has "until", which is not known',
    remedy: "Use channels, actions.",
  },
  {
    call: "POST /keys",
    body: { name: "shop", grant: grants },
    detail: 'body has "grant", which is not known',
    remedy: "Did you mean grants? Use name, grants.",
  },
  {
    call: "POST /keys",
    body: { name: "shop", grants: [{ channel: "a", actions: ["publish"] }] },
    detail: 'body.grants[0] has "channel", which is not known',
    remedy: "Did you mean channels? Use channels, actions.",
  },
  {
    call: "POST /access/explain",
    body: { action: "publish", chanel: "a" },
    detail: 'body has "chanel", which is not known',
    remedy: "Did you mean channel? Use action, channel, token.",
  },
  {
    call: "POST /tickets",
    body: { channels: [channel], once: true },
    detail: 'body has "once", which is not known',
    remedy: "Use channels.",
  },
  {
    call: "POST /sse",
    body: { channels: [{ channel, sicne: { epoch: EPOCH, offset: 1 } }] },
    detail: 'body.channels[0] has "sicne", which is not known',
    remedy: "Did you mean since? Use channel, since, state.",
  },
  {
    call: "POST /sse",
    body: { channels: [{ channel, since: { epoch: EPOCH, offset: 1, channel } }] },
    detail: 'body.channels[0].since has "channel", which is not known',
    remedy: "Use epoch, offset.",
  },
];

const QUERIES: readonly (readonly [call: string, detail: string, remedy: string])[] = [
  [
    "GET /channels/a/messages?limt=5",
    'query has "limt", which is not known',
    "Did you mean limit? Use after, limit.",
  ],
  ["GET /channels/a/messages?offset=5", 'query has "offset", which is not known', "Use after, limit."],
  [
    "GET /channels/a/presence?aftr=x",
    'query has "aftr", which is not known',
    "Did you mean after? Use after, limit.",
  ],
  ["GET /channels?Limit=5", 'query has "Limit", which is not known', "Did you mean limit? Use after, limit."],
  ["GET /connections?page=2", 'query has "page", which is not known', "Use after, limit."],
  ["DELETE /locks/a?tokn=1", 'query has "tokn", which is not known', "Did you mean token? Use token."],
  [
    "GET /sse?channel=a&sicne=x",
    'query has "sicne", which is not known',
    "Did you mean since? Use channel, since, lastEventId, ticket, access_token.",
  ],
  ["GET /channels/a/messages?limit=1&limit=2", 'the parameter "limit" is given 2 times', "Give it once."],
  [
    "GET /sse?channel=a&lastEventId=x&lastEventId=y",
    'the parameter "lastEventId" is given 2 times',
    "Give it once.",
  ],
];

/** A server on which none of the calls is refused for another reason. */
async function serving() {
  const served = await serve({ rules: [{ channels: "**", presence: true }] });
  const ask = async (call: string, body?: unknown) => {
    const [method = "", address = ""] = call.split(" ");
    return fetch(`${served.base}${address}`, {
      method,
      headers: { "Content-Type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  };
  return { ...served, ask };
}

describe("a call that is given what it does not know", () => {
  test.each(BODIES)("$call with $body is refused: $detail", async ({ call, body, detail, remedy }) => {
    const { ask, fanfare } = await serving();
    const problem = await problemOf(await ask(call, body));
    expect(problem).toMatchObject({ status: 400, code: "invalid_request", detail, remedy });
    expect(await fanfare.position("a"), "nothing was published").toMatchObject({ offset: 0 });
    expect(await fanfare.sequences.get("a"), "no number was taken").toBeNull();
    expect(await fanfare.locks.get("a"), "no lock was taken").toBeNull();
  });

  test.each(QUERIES)("%s is refused: %s", async (call, detail, remedy) => {
    const { ask } = await serving();
    const problem = await problemOf(await ask(call));
    expect(problem).toMatchObject({ status: 400, code: "invalid_request", detail, remedy });
  });

  test("is refused for a name of any length, which is made short and printable", async () => {
    const { ask } = await serving();
    const body = { data, [`\u001b${"x".repeat(10_000)}`]: 1 };
    const { detail } = await problemOf(await ask("POST /channels/a/messages", body));
    expect(detail).toMatch(/^body has "\\u001bx{59}…", which is not known$/);
  });
});

test.each(["_=1700000000000", "_cb=1&_cb=2", "__proto__=3"])(
  "a parameter such as %s passes caches by, and is ignored",
  async (query) => {
    const { ask } = await serving();
    expect((await ask(`GET /channels/a/messages?limit=1&${query}`)).status).toBe(200);
  },
);

interface Shape {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly additionalProperties?: unknown;
}

test("the OpenAPI document says of every body that there is no more, and of no answer", async () => {
  const { base } = await serving();
  const document = await (await fetch(`${base}/openapi.json`)).json();
  const { schemas } = document.components as { schemas: Record<string, Shape> };
  const open: string[] = [];
  const seen = new Set<string>();
  const look = (shape: Shape, place: string): void => {
    const named = shape.$ref?.replace(/.*\//, "");
    if (named !== undefined && !seen.has(`${place} ${named}`)) {
      // Any JSON value holds others.
      seen.add(`${place} ${named}`);
      look(schemas[named] ?? {}, place);
    }
    if (shape.properties && shape.additionalProperties !== false) open.push(place);
    for (const [name, each] of Object.entries(shape.properties ?? {})) look(each, `${place}.${name}`);
    for (const each of [...(shape.anyOf ?? []), ...(shape.items ? [shape.items] : [])]) look(each, place);
  };
  let bodies = 0;
  for (const methods of Object.values<Record<string, { operationId: string; requestBody?: object }>>(
    document.paths,
  )) {
    for (const { operationId, requestBody } of Object.values(methods)) {
      const { content = {} } = { ...requestBody } as { content?: Record<string, { schema: Shape }> };
      for (const { schema } of Object.values(content)) {
        look(schema, operationId);
        bodies++;
      }
    }
  }
  expect(open).toEqual([]);
  expect(bodies).toBeGreaterThan(10);
  expect(schemas.Published).not.toHaveProperty("additionalProperties");
  expect(schemas.Problem).not.toHaveProperty("additionalProperties");
});
