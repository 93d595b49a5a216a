/**
 * The service `authentication` of Feathers over REST: a client that has a token is told who it is, and shows the token with each call
 * from then on. Nothing is kept here: to log out is the client's own affair.
 */
import { type Context, Hono } from "hono";
import { checkUser, type Nobody } from "../../access/grants/principal.js";
import { RequestCaller } from "../../access/request-caller.js";
import { authenticated, notForAuthentication, tokenIn } from "../../feathers/authentication.js";
import type { Mounted } from "../../wire/mount.js";
import { admission, admitted, checks } from "../exchange/admission.js";
import { readJson } from "../exchange/body.js";
import type { HttpEnv } from "../exchange/context.js";
import { credentialsOf, identification } from "../exchange/identify.js";
import type { Handle } from "../exchange/route.js";
import { answerErrors, type FeathersParts, place, tokenOf } from "./feathers.js";

/** Bytes of a log-in: no header could carry a longer token. */
const MAX_BYTES = 16 * 1024;

export function authenticationPlace(path: string, parts: FeathersParts): Mounted {
  return place(path, authenticationApp(path, parts), parts);
}

function authenticationApp(path: string, parts: FeathersParts): Hono<HttpEnv> {
  const { access, entrance } = parts;
  const { rates } = entrance;
  const { count } = checks(rates);
  const app = new Hono<HttpEnv>({ strict: false }).basePath(path);
  const admit = admission(entrance);
  const identify = identification(access, entrance, count, { tokenIn: tokenOf });
  /** A header may carry a token that is old. */
  const asNobody = (c: Context<HttpEnv>) => {
    const nobody: Nobody = access.nobody;
    c.set("requestCaller", new RequestCaller(access, rates, nobody, rates.partyOf(c.get("caller"), nobody)));
    count(c, "frames");
  };
  const logIn: Handle = async (c) => {
    const accessToken = tokenIn(await readJson(c, MAX_BYTES));
    const credentials = credentialsOf(c, entrance, () => accessToken);
    const user = checkUser(await access.authenticate(credentials));
    return c.env.answerJson(c, JSON.stringify(authenticated(accessToken, user)), 201);
  };
  const logOut: Handle = (c) => {
    const { accessToken: _, ...before } = authenticated("", checkUser(c.get("requestCaller").principal));
    return c.env.answerJson(c, JSON.stringify(before), 200);
  };
  app.on("POST", "/", admitted(admit, logIn, asNobody));
  app.on("DELETE", "/", admitted(admit, logOut, identify));
  app.on("DELETE", "/:id", admitted(admit, logOut, identify));
  for (const below of ["/", "/:id"]) {
    app.on(
      "ALL",
      below,
      admitted(admit, (c) => notForAuthentication(c.req.method), asNobody),
    );
  }
  answerErrors(app, admit, parts);
  return app;
}
