/**
 * `{path}/users`, `{path}/tokens`, `{path}/revocations`: ends what users came in with. The ids are those of other issuers, so there may be some
 * that no address can carry: for these there is a call with the id in the body.
 */
import { FanfareError, isDots, quote } from "@fanfare/protocol";
import { z } from "zod";
import { check } from "../../base/check.js";
import { readJson } from "../exchange/body.js";
import type { HttpContext } from "../exchange/context.js";
import type { Route } from "../exchange/route.js";
import { BODY_ERRORS, checkedUser, MAX_BYTES, tokenId, user } from "./access.js";
import { answerRevoked, revokedAnswers } from "./revoked.js";

const tokenSchema = z.object({ token: tokenId });
const revocationSchema = z.union([z.strictObject({ user }), z.strictObject({ token: tokenId })]).meta({
  id: "Revocation",
  description: "A user who is to be logged out, or a token that is to be revoked.",
});

const LOGGED_OUT =
  "Closes the user's connections with 4401, on whatever node they are, and accepts no token that was issued until now.";

export function revocationRoutes({ access, allow }: HttpContext): Route[] {
  return [
    {
      method: "DELETE",
      path: "/tokens/:token",
      id: "revokeToken",
      summary: "Revoke a token",
      details:
        "It is not accepted any more, and its connections are closed with 4401, on whatever node they are.",
      tag: "access",
      needs: "admin",
      parameters: [{ in: "path", schema: tokenSchema }],
      answers: revokedAnswers("The token is revoked, whether it was ever seen or not."),
      errors: ["invalid_request"],
      async handle(c) {
        allow(c, "admin", null);
        const { token } = check(tokenSchema, { token: inAddress(c.req.param("token")) }, "path");
        return answerRevoked(c, await access.revokeToken(token));
      },
    },
    {
      method: "DELETE",
      path: "/users/:user",
      id: "logOut",
      summary: "Log a user out",
      details: LOGGED_OUT,
      tag: "access",
      needs: "admin",
      parameters: [{ in: "path", schema: z.object({ user }) }],
      answers: revokedAnswers("The user is logged out, whether there was a connection or not."),
      errors: ["invalid_request"],
      async handle(c) {
        allow(c, "admin", null);
        return answerRevoked(c, await access.revokeUser(checkedUser(inAddress(c.req.param("user")))));
      },
    },
    {
      method: "POST",
      path: "/revocations",
      id: "revoke",
      summary: "Log a user out, or revoke a token, with the id in the body",
      details:
        "The same as `DELETE /users/{user}` and `DELETE /tokens/{token}`, also for ids that no address can carry, as `..`.",
      tag: "access",
      needs: "admin",
      body: revocationSchema,
      answers: revokedAnswers("The user is logged out, or the token revoked."),
      errors: BODY_ERRORS,
      async handle(c) {
        allow(c, "admin", null);
        const wanted = check(revocationSchema, await readJson(c, MAX_BYTES), "body");
        const answer =
          "user" in wanted
            ? access.revokeUser(checkedUser(wanted.user))
            : access.revokeToken(check(tokenSchema, wanted, "body").token);
        return answerRevoked(c, await answer);
      },
    },
  ];
}

/** @throws FanfareError `invalid_request` */
function inAddress(id: string | undefined): string | undefined {
  if (id === undefined || !isDots(id)) return id;
  throw new FanfareError(
    "invalid_request",
    `the address ends with ${quote(id)}, which most clients and proxies change`,
    {
      remedy: "Call POST {path}/revocations, with the id in the body.",
    },
  );
}
