/** `{path}/tokens`, `{path}/access/explain`: tokens of users, and why something is allowed or not. */
import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { z } from "zod";
import { ACTIONS, type Action } from "../../access/grants/actions.js";
import { checkedGrants, USER_REMEDY, userProblem } from "../../access/grants/grants.js";
import { explain } from "../../access/grants/policy.js";
import type { Principal } from "../../access/grants/principal.js";
import { checkHandsOut } from "../../access/tokens/issue.js";
import { DEFAULT_TOKEN_SECONDS } from "../../access/tokens/sign.js";
import { check } from "../../base/check.js";
import { readJson } from "../exchange/body.js";
import type { HttpContext } from "../exchange/context.js";
import type { Route } from "../exchange/route.js";
import * as part from "../exchange/schemas.js";

export const MAX_BYTES = 64 * 1024;
const NO_STORE = { "Cache-Control": "no-store" } as const;
export const BODY_ERRORS = [
  "invalid_json",
  "invalid_request",
  "too_large",
  "unsupported_media_type",
] as const;

export const user = z
  .string()
  .meta({ description: "The id of a user.", minLength: 1, maxLength: 200, examples: ["alice"] });
export const tokenId = z.string().min(1).max(200).meta({ description: "The token's id, its `jti`." });

const wantedSchema = z
  .strictObject({
    user,
    grants: part.grants,
    expiresInSeconds: z
      .number()
      .positive()
      .optional()
      .meta({ description: `How long it is good for; ${DEFAULT_TOKEN_SECONDS} unless given.` }),
    info: part.data.optional().meta({
      description: "Others who may see that the user is present see it: any JSON value of at most 1 KiB.",
      examples: [{ name: "Alice" }],
    }),
  })
  .meta({ id: "NewToken" });

const tokenSchema = z
  .object({ token: z.string(), id: tokenId, expires: part.milliseconds })
  .meta({ id: "Token", description: "A JSON Web Token for a user." });

const actionNames = Object.keys(ACTIONS) as Action[];

const questionSchema = z
  .strictObject({
    action: z.enum(actionNames).meta({ description: "The action to explain." }),
    channel: part.channelName.optional().meta({ description: "Where; left out for admin." }),
    token: z
      .string()
      .optional()
      .meta({ description: "The key or token that it is about; the caller's own unless given." }),
  })
  .meta({
    id: "AccessQuestion",
    if: { properties: { action: { const: "admin" } } },
    else: { required: ["channel"] },
  });

const explanationSchema = z
  .object({
    allowed: z.boolean(),
    who: z.object({
      kind: z.enum(["nobody", "key", "user"]),
      user: z.string().optional(),
      key: z.string().optional(),
      expires: part.milliseconds.optional(),
    }),
    grant: part.grant.nullable().meta({ description: "The grant that allows it." }),
    reason: z.string(),
    remedy: z.string().meta({ description: "How to allow it; empty where it is allowed." }),
    grants: part.grants,
  })
  .meta({ id: "AccessExplanation" });

export function accessRoutes({ access, entrance, count, log }: HttpContext): Route[] {
  return [
    {
      method: "POST",
      path: "/tokens",
      id: "makeToken",
      summary: "Make a token for a user",
      details:
        "Only with an API key. The key has to have every grant that it hands out, and the action `token` on the same channels.",
      tag: "access",
      needs: "token",
      body: wantedSchema,
      answers: { 201: { description: "The token.", schema: tokenSchema } },
      errors: ["invalid_grants", ...BODY_ERRORS, "not_configured"],
      async handle(c) {
        const wanted = check(wantedSchema, await readJson(c, MAX_BYTES), "body");
        const { principal } = c.get("requestCaller");
        const grants = checkedGrants(wanted.grants, checkedUser(wanted.user));
        try {
          if (principal.kind !== "key") throw keyWanted(principal.kind === "nobody" && access.canLogIn);
          checkHandsOut(principal, { user: wanted.user, grants });
        } catch (error) {
          entrance.refusals.actions.token++;
          throw error;
        }
        const { expiresInSeconds, info } = wanted;
        const made = await access.makeToken({
          user: wanted.user,
          grants,
          info,
          ...(expiresInSeconds !== undefined && { expiresInSeconds }),
        });
        return c.json({ ...made }, 201, NO_STORE);
      },
    },
    {
      method: "POST",
      path: "/access/explain",
      id: "explainAccess",
      summary: "Say why something is allowed, or is not",
      details: "Speaks about the caller, or about the token that is given in the body; it is not logged.",
      tag: "access",
      needs: null,
      speaksOfCaller: true,
      body: questionSchema,
      answers: { 200: { description: "Why.", schema: explanationSchema } },
      errors: ["invalid_channel", ...BODY_ERRORS],
      async handle(c) {
        count(c, "logIns");
        const { action, channel, token } = check(questionSchema, await readJson(c, MAX_BYTES), "body");
        const place = placeOf(action, channel);
        try {
          const principal =
            token === undefined ? c.get("requestCaller").principal : await access.authenticate({ token });
          c.get("requestCaller").check();
          return c.json(answerOf(principal, action, place), 200, NO_STORE);
        } catch (error) {
          if (!(error instanceof FanfareError) || error.code !== "not_logged_in") throw error;
          const { message, remedy } = error;
          log.info({ code: error.code }, `asked to explain, and refused: ${message}`);
          const refused = {
            allowed: false,
            who: { kind: "nobody" },
            grant: null,
            reason: message,
            remedy,
            grants: [],
          };
          return c.json(refused, 200, NO_STORE);
        }
      },
    },
  ];
}

function answerOf(principal: Principal, action: Action, channel: ReturnType<typeof placeOf>) {
  const { kind, grants } = principal;
  return {
    ...explain(principal, action, channel),
    who: {
      kind,
      ...(kind === "key" && { key: principal.key }),
      ...(kind === "user" && { user: principal.user }),
      ...(kind === "user" && principal.expires !== null && { expires: principal.expires }),
    },
    grants: grants.list,
  };
}

/** @throws FanfareError `invalid_channel`, `invalid_request` */
function placeOf(action: Action, channel: string | undefined) {
  if (ACTIONS[action].on === "server") {
    if (channel !== undefined) parseChannelName(channel);
    return null;
  }
  if (channel !== undefined) return parseChannelName(channel);
  throw new FanfareError("invalid_request", "body.channel is missing", {
    remedy: `Give the channel on which ${action} is to be explained.`,
  });
}

/** @throws FanfareError `invalid_request` */
export function checkedUser(id: string | undefined): string {
  const problem = userProblem(id);
  if (problem === null && id !== undefined) return id;
  throw new FanfareError("invalid_request", `user ${problem}`, {
    remedy: USER_REMEDY,
  });
}

function keyWanted(couldLogIn: boolean): FanfareError {
  return new FanfareError(
    couldLogIn ? "not_logged_in" : "forbidden",
    "tokens are made for callers with an API key",
    {
      remedy: "Send the header `Authorization: Bearer <key>` with an API key that has the action token.",
    },
  );
}
