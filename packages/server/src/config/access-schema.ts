/** The options about who may do what. */
import { z } from "zod";
import { ACTIONS } from "../access/actions.js";
import {
  checkCookies,
  checkUrl,
  DEFAULT_FORWARDED_SESSION,
  forwardedSessionSettings,
} from "../access/forwarded-session-options.js";
import { Grants } from "../access/grants.js";
import { MIN_KEY_LENGTH } from "../access/keys.js";
import { DEFAULT_TOKENS, MIN_SECRET_LENGTH, tokenSettings } from "../access/token-options.js";
import { described } from "./description.js";
import { explain } from "./explain.js";

const grant = z.strictObject({
  channels: described(z.string(), {
    text: "The channels that it is for. `*` stands for one segment, `**` for one or more at the end, `{sub}` for the id of the user.",
    allowed: "a pattern such as order:*, user:{sub}:** or broadcast",
  }),
  actions: described(z.array(z.enum([...Object.keys(ACTIONS), "*"] as (keyof typeof ACTIONS | "*")[])), {
    text: "What it allows; `*` is everything that is done on channels.",
    allowed: `a list of ${Object.keys(ACTIONS).join(", ")} or *`,
  }),
});

const tokens = {
  secrets: described(z.array(textOf(MIN_SECRET_LENGTH)).default([]), {
    text: "Secrets that tokens of users are signed with (HS256, HS384, HS512). The first makes tokens, all are accepted: so one can be replaced without a pause.",
    allowed: `at least ${MIN_SECRET_LENGTH} visible ASCII characters without commas, such as what openssl rand -hex 32 prints`,
    secret: true,
    variable: "FANFARE_SECRET",
  }),
  publicKeys: described(
    z
      .array(z.string())
      .superRefine((publicKeys, context) => explain(context, () => tokenSettings({ publicKeys })))
      .default([]),
    {
      text: "Public keys that tokens are checked with (RS, PS, ES with 256, 384 or 512, and EdDSA).",
      allowed: "a list of public keys as PEM",
    },
  ),
  jwksUrl: described(
    z
      .string()
      .superRefine((jwksUrl, context) => explain(context, () => tokenSettings({ jwksUrl })))
      .default(""),
    {
      text: "Where to fetch the JSON Web Key Set that tokens are checked with. It is fetched again after 10 minutes, and when a token names a key that is not in it, at most every 10 seconds: so publish a new key before you sign with it. Empty is nowhere.",
      allowed: "an address with https",
    },
  ),
  issuers: described(z.array(z.string().min(1)).default([]), {
    text: "Accepted values of `iss`. None: it is not looked at.",
    allowed: "a text",
  }),
  audiences: described(z.array(z.string().min(1)).default([]), {
    text: "Accepted values of `aud`. None: it is not looked at.",
    allowed: "a text",
  }),
  clockSkewSeconds: described(z.number().min(0).max(600).default(DEFAULT_TOKENS.clockSkewSeconds), {
    text: "How far the clocks of whoever makes tokens may be off.",
    allowed: "a number from 0 to 600",
    unit: "seconds",
  }),
  maxSeconds: described(z.number().min(60).default(DEFAULT_TOKENS.maxSeconds), {
    text: "For how long a token may be made at most. So long a log-out is remembered.",
    allowed: "a number from 60 up",
    unit: "seconds",
  }),
  graceSeconds: described(z.number().min(0).max(600).default(DEFAULT_TOKENS.graceSeconds), {
    text: "How long a live connection is kept after its token expired, so that a new one can come.",
    allowed: "a number from 0 to 600",
    unit: "seconds",
  }),
};

const forwardedSession = {
  url: described(
    z
      .string()
      .superRefine((url, context) => explain(context, () => url === "" || checkUrl(url)))
      .default(""),
    {
      text: "Address of your application that says whose session it is, by the cookies of `forwardedSession.cookies`. Empty is none.",
      allowed: "an address with http or https",
    },
  ),
  cookies: described(
    z
      .array(z.string())
      .superRefine((cookies, context) => explain(context, () => checkCookies(cookies)))
      .default([]),
    {
      text: "Names of the cookies that make up a session of your application. No other cookie is shown to it.",
      allowed: "a name of a cookie",
    },
  ),
  checkSeconds: described(z.number().min(1).default(DEFAULT_FORWARDED_SESSION.checkSeconds), {
    text: "How often your application is asked again about those who are connected. When it cannot be reached they are kept for so long.",
    allowed: "a number from 1 up",
    unit: "seconds",
  }),
  timeoutSeconds: described(z.number().min(0.1).max(60).default(DEFAULT_FORWARDED_SESSION.timeoutSeconds), {
    text: "How long your application may take to answer.",
    allowed: "a number from 0.1 to 60",
    unit: "seconds",
  }),
};

export const accessOptions = {
  apiKeys: described(z.array(textOf(MIN_KEY_LENGTH)).default([]), {
    text: "Keys with which your servers publish: `Authorization: Bearer <key>`. They may do everything; for keys that may do less use `fanfare key add`. Several allow to replace one without a pause.",
    allowed: `at least ${MIN_KEY_LENGTH} visible ASCII characters without commas, such as what openssl rand -hex 24 prints`,
    secret: true,
    variable: "FANFARE_API_KEY",
  }),
  access: described(
    z
      .union([z.enum(["auto", "listen", "none"]), z.array(grant)])
      .superRefine((access, context) =>
        explain(context, () => typeof access === "string" || new Grants(access, null)),
      )
      .default("auto"),
    {
      text: "What callers may do who do not log in. `listen`: subscribe and read the history of all channels. `none`: nothing. `auto`: `none` where tokens or sessions are accepted, else `listen`.",
      allowed: "auto, listen, none or a list of grants",
      fromText: (text) => (/^\s*\[/.test(text) ? (JSON.parse(text) as unknown) : text),
      asText: "a word, or the list as JSON",
    },
  ),
  userGrants: described(
    z
      .array(grant)
      .superRefine((grants, context) => explain(context, () => new Grants(grants, "somebody")))
      .default([]),
    {
      text: "What every user may do, beside the grants in the token.",
      allowed: "a list of grants",
      fromText: (text) => JSON.parse(text) as unknown,
      asText: "the list as JSON",
    },
  ),
  tokens: z.strictObject(tokens).prefault({}),
  forwardedSession: z
    .strictObject(forwardedSession)
    .superRefine((options, context) => explain(context, () => forwardedSessionSettings(options)))
    .prefault({}),
};

/** Visible ASCII characters without commas, since lists in the environment are split there. */
function textOf(least: number): z.ZodString {
  return z.string().regex(new RegExp(`^[\\x21-\\x2b\\x2d-\\x7e]{${least},}$`));
}
