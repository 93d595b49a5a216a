/** `{path}/sse`: channels as a stream of Server-Sent Events. Reads what the caller wants; the stream is the business of its door. */
import {
  type ChannelName,
  FanfareError,
  isEpoch,
  type Position,
  parseAudibleName,
  parsePosition,
} from "@fanfare/protocol";
import type { Context } from "hono";
import { z } from "zod";
import { RequestCaller } from "../../access/request-caller.js";
import { check } from "../../base/check.js";
import { MAX_CURSOR_CHANNELS, MAX_CURSOR_LENGTH, parseCursor } from "../../doors/sse/cursor.js";
import type { StreamClient, StreamItem, WantedItem } from "../../doors/sse/door.js";
import { STREAM_HEADERS } from "../../doors/sse/outbound-buffer.js";
import { readJson } from "../exchange/body.js";
import type { HttpContext, HttpEnv } from "../exchange/context.js";
import { checkListening, credentialsOf } from "../exchange/identify.js";
import { readQuery } from "../exchange/query.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

const MAX_BODY_BYTES = 512 * 1024;
const MAX_WANTED = 1000;
/** A token in an address may end up in the logs of proxies, so it must not be good for longer. */
const MAX_URL_TOKEN_MS = 300_000;

const cursor = z.string().min(1).max(MAX_CURSOR_LENGTH);

const querySchema = z.strictObject({
  channel: z
    .array(part.audibleName)
    .max(MAX_CURSOR_CHANNELS)
    .optional()
    .meta({
      description: `The channels, 1 to ${MAX_CURSOR_CHANNELS}; left out with a ticket, which names them.`,
    }),
  since: z.array(z.string()).max(MAX_CURSOR_CHANNELS).optional().meta({
    description:
      "For each channel, in the same order, the position to go on from; empty where there is none.",
  }),
  lastEventId: cursor
    .optional()
    .meta({ description: "The same as the header Last-Event-ID, which comes first." }),
  ticket: z.string().max(100).optional().meta({ description: "A ticket, in place of a key or token." }),
  access_token: z
    .string()
    .optional()
    .meta({ description: "A token that expires within 5 minutes, in place of the header Authorization." }),
});

const headerSchema = z.object({
  "Last-Event-ID": cursor
    .optional()
    .meta({ description: "The last id of an earlier stream of the same channels." }),
});

const wantedSchema = z
  .strictObject({
    channels: z
      .array(
        z.strictObject({
          channel: part.audibleName,
          since: z
            .strictObject({
              epoch: part.epoch.refine(isEpoch, "16 characters of 0-9 a-f are wanted"),
              offset: part.offset,
            })
            .optional()
            .meta({ description: "The position to go on from." }),
          state: z
            .boolean()
            .optional()
            .meta({ description: "The state is wanted even if nothing was missed." }),
        }),
      )
      .max(MAX_WANTED),
  })
  .meta({ id: "Stream", description: "The channels of a stream. There may be none yet." });

const STREAM = { 200: { description: "The stream.", type: "text/event-stream" } };
const ERRORS = [
  "invalid_request",
  "rate_limited",
  "share_used_up",
  "too_many_connections",
  "unavailable",
] as const;

type Query = z.infer<typeof querySchema>;

export function sseRoutes({ sse, access, entrance, tickets, count }: HttpContext): Route[] {
  const { rates } = entrance;
  /** @throws FanfareError `not_logged_in`, `forbidden`, `invalid_request`, `rate_limited`, `unavailable` */
  async function identify(c: Context<HttpEnv>, { ticket, access_token: inUrl }: Query) {
    const caller = c.get("caller");
    const own = credentialsOf(c, entrance);
    if (Number(own.token !== undefined) + Number(ticket !== undefined) + Number(inUrl !== undefined) > 1) {
      throw new FanfareError("invalid_request", "the caller says in several ways who it is", {
        remedy: "Send one of: the header Authorization, ticket, access_token.",
      });
    }
    if (ticket !== undefined) {
      const { principal, credentials, channels } = await tickets.use(ticket, own.from ?? null);
      return { client: { caller, principal, credentials }, ticketed: channels };
    }
    const credentials = inUrl === undefined ? own : { ...own, token: inUrl };
    const mayGoByCookies = credentials.token === undefined && access.asking.possible;
    if (mayGoByCookies && access.asking.goesByCookies(c.req.raw.headers)) checkListening(c);
    const principal = await access.authenticate(credentials);
    if (inUrl !== undefined && principal.kind !== "nobody") {
      const expires = principal.kind === "user" ? principal.expires : null;
      if (expires === null || expires - rates.clock.now() > MAX_URL_TOKEN_MS) throw longLived();
    }
    return { client: { caller, principal, credentials }, ticketed: null };
  }

  function enter(c: Context<HttpEnv>, client: StreamClient): void {
    c.set(
      "requestCaller",
      new RequestCaller(access, rates, client.principal, rates.partyOf(client.caller, client.principal)),
    );
    count(c, "frames");
  }

  return [
    {
      method: "GET",
      path: "/sse",
      id: "stream",
      summary: "Listen to channels",
      details:
        "Server-Sent Events: messages by their event names, and the server's own events, whose names begin with `fanfare.`. After what it wrote the stream tells an `id`, with which a later one goes on.",
      tag: "streams",
      needs: "subscribe",
      identifies: true,
      parameters: [
        { in: "query", schema: querySchema },
        { in: "header", schema: headerSchema },
      ],
      answers: STREAM,
      errors: ["invalid_channel", "invalid_position", ...ERRORS],
      async handle(c) {
        sse.admit(c.get("caller"));
        const query = readQuery(c, querySchema);
        const { client, ticketed } = await identify(c, query);
        enter(c, client);
        const channels = channelsOf(query, ticketed);
        const items = itemsOf(channels, query, c.env.header("last-event-id"));
        if (c.req.method === "HEAD") {
          sse.check(client, items);
          return c.body(null, 200, STREAM_HEADERS);
        }
        return c.env.answerStream(c, (outbound) => sse.open(client, items, outbound));
      },
    },
    {
      method: "POST",
      path: "/sse",
      id: "streamFor",
      summary: "Listen to channels, for a client that keeps its positions",
      details:
        "`@fanfare/client` uses it where WebSockets are blocked. The stream tells no `id`; a channel that is refused is an event `fanfare.error`, and the others go on.",
      tag: "streams",
      needs: "subscribe",
      refusesParts: true,
      onlyListens: true,
      body: wantedSchema,
      answers: STREAM,
      errors: ["invalid_json", "too_large", "unsupported_media_type", ...ERRORS],
      async handle(c) {
        sse.admit(c.get("caller"));
        const { channels } = check(wantedSchema, await readJson(c, MAX_BODY_BYTES), "body");
        const client = {
          caller: c.get("caller"),
          principal: c.get("requestCaller").principal,
          credentials: credentialsOf(c, entrance),
        };
        const items: readonly WantedItem[] = channels.map(({ since, ...item }) => ({
          ...item,
          since: since && { epoch: since.epoch, offset: since.offset },
        }));
        return c.env.answerStream(c, (outbound) => sse.openFor(client, items, outbound));
      },
    },
  ];
}

/** @throws FanfareError `invalid_channel`, `invalid_request` */
function channelsOf(
  { channel: given }: Query,
  ticketed: readonly ChannelName[] | null,
): readonly ChannelName[] {
  if (ticketed) {
    if (given === undefined) return ticketed;
    throw new FanfareError("invalid_request", "query.channel is given beside a ticket", {
      remedy: "Leave channel out: the ticket names the channels.",
    });
  }
  if (given === undefined) {
    throw new FanfareError("invalid_request", "query.channel is missing", {
      remedy: "Name the channels, such as ?channel=order:42&channel=broadcast",
    });
  }
  return distinct(given);
}

/** @throws FanfareError `invalid_channel`, `invalid_request` */
export function distinct(given: readonly string[]): readonly ChannelName[] {
  const channels = given.map(parseAudibleName);
  const twice = channels.find((channel, index) => channels.indexOf(channel) !== index);
  if (twice === undefined) return channels;
  throw new FanfareError("invalid_request", `the channel ${twice} is named twice`, {
    remedy: "Name each channel once.",
  });
}

/** @throws FanfareError `invalid_position`, `invalid_request` */
function itemsOf(
  channels: readonly ChannelName[],
  { since, lastEventId }: Query,
  header: string | undefined,
): StreamItem[] {
  // A client that comes back by itself has the state; a page that was loaded anew has not.
  if (header) return withPositions(channels, parseCursor(header, channels), false);
  if (lastEventId !== undefined) return withPositions(channels, parseCursor(lastEventId, channels), true);
  if (since === undefined) return withPositions(channels, [], false);
  if (since.length !== channels.length) {
    throw new FanfareError(
      "invalid_request",
      `query.since is given ${since.length} times for ${channels.length} channels`,
      {
        remedy: "Give it once for each channel, in the same order; empty where there is no position.",
      },
    );
  }
  return withPositions(
    channels,
    since.map((text) => (text === "" ? null : parsePosition(text))),
    true,
  );
}

function withPositions(
  channels: readonly ChannelName[],
  positions: readonly (Position | null)[],
  state: boolean,
): StreamItem[] {
  return channels.map((channel, index) => ({ channel, since: positions[index] ?? undefined, state }));
}

function longLived(): FanfareError {
  return new FanfareError("not_logged_in", "the token in the address is good for more than 5 minutes", {
    remedy:
      "Send it as Authorization: Bearer, take a ticket by POST {path}/tickets, or make one that expires sooner.",
  });
}
