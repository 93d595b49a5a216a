/** The options about who may do what. */
import { z } from "zod";
import {
  checkCookies,
  checkUrl,
  DEFAULT_FORWARDED_SESSION,
  forwardedSessionSettings,
} from "../access/forwarded-session-options.js";
import { ACTIONS } from "../access/grants/actions.js";
import { Grants } from "../access/grants/grants.js";
import { ACCESS_MODES } from "../access/settings.js";
import { MIN_KEY_LENGTH } from "../access/store/keys.js";
import { DEFAULT_TOKENS, MIN_SECRET_LENGTH, tokenSettings } from "../access/tokens/token-options.js";
import { described } from "../base/option.js";
import { explain } from "./explain.js";

const grant = z.strictObject({
  channels: described(z.string(), {
    text: "The channels that it is for. `*` stands for one segment, `**` for one or more at the end, `{sub}` for the id of the user.",
    allowed: "a pattern such as order:*, user:{sub}:** or broadcast",
  }),
  actions: described(z.array(z.enum([...Object.keys(ACTIONS), "*"] as (keyof typeof ACTIONS | "*")[])), {
    text: "The actions that it allows; `*` is every action on channels.",
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
      text: "Where to fetch the JSON Web Key Set that tokens are checked with. The server fetches it again after 10 minutes, and when a token names a key that is not in it, at most every 10 seconds. So publish a new key before you sign with it. Empty is nowhere.",
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
    text: "How far the clocks of those who make tokens may be off. A token holds for this long after its `exp`: at log-in, over HTTP and on open connections.",
    allowed: "a number from 0 to 600",
    unit: "seconds",
  }),
  maxSeconds: described(z.number().min(60).default(DEFAULT_TOKENS.maxSeconds), {
    text: "For how long a token may be made at most. The server remembers a log-out for this time.",
    allowed: "a number from 60 up",
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
    text: "How often your application is asked again about those who are connected. While it cannot be reached, the server keeps them for this time.",
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
  access: described(z.enum(ACCESS_MODES).default("granted"), {
    text: "`granted`: a client may do what its grants say, and a client that does not log in may do what `anonymous` says. `open`: a client that does not log in may do everything, as an administrator may; for networks where you trust every client. Users and API keys have their own grants either way.",
    allowed: ACCESS_MODES.join(" or "),
  }),
  anonymous: described(
    z
      .array(grant)
      .superRefine((grants, context) => explain(context, () => new Grants(grants, null)))
      .default([]),
    {
      text: "Grants of clients that do not log in. Without grants these clients may do nothing. Not together with `access: open`.",
      allowed: "a list of grants",
      fromText: (text) => JSON.parse(text) as unknown,
      asText: "the list as JSON",
    },
  ),
  userGrants: described(
    z
      .array(grant)
      .superRefine((grants, context) => explain(context, () => new Grants(grants, "somebody")))
      .default([]),
    {
      text: "Grants of every user, beside those in the token.",
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
