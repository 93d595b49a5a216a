/** Where to ask whose session it is, and what is shown there: each option is declared here once. */
import { shown } from "@fanfare/protocol";
import { z } from "zod";
import { described, type Given } from "../base/option.js";
import { explain } from "../base/option-checks.js";

/** How often somebody is asked again about those who are connected. */
export const DEFAULT_CHECK_SECONDS = 300;

/** The comments are what editors show: `config/options.test.ts` holds them to the texts and defaults. */
const options = {
  /** Address of your application that says whose session it is, by the cookies of `forwardedSession.cookies`. Empty is none. @default "" */
  url: described(
    z
      .string()
      .superRefine((url, context) => explain(context, () => checkUrl(url)))
      .default(""),
    {
      text: "Address of your application that says whose session it is, by the cookies of `forwardedSession.cookies`. Empty is none.",
      allowed: "an address with http or https",
    },
  ),
  /** Names of the cookies that make up a session of your application. No other cookie is shown to it. @default none */
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
  /** How often your application is asked again about those who are connected. While it cannot be reached, the server keeps them for this time. @default 300 */
  checkSeconds: described(z.number().min(1).default(DEFAULT_CHECK_SECONDS), {
    text: "How often your application is asked again about those who are connected. While it cannot be reached, the server keeps them for this time.",
    allowed: "a number from 1 up",
    unit: "seconds",
  }),
  /** How long your application may take to answer. @default 5 */
  timeoutSeconds: described(z.number().min(0.1).max(60).default(5), {
    text: "How long your application may take to answer.",
    allowed: "a number from 0.1 to 60",
    unit: "seconds",
  }),
};

export const FORWARDED_SESSION = z
  .strictObject(options)
  .superRefine(({ url, cookies }, context) => explain(context, () => checkBoth(url, cookies)));

export type ForwardedSessionOptions = Given<typeof options>;
export type ForwardedSessionSettings = z.output<typeof FORWARDED_SESSION>;

/** A token of RFC 6265. */
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function checkBoth(url: string, cookies: readonly string[]): void {
  if (url === "" && cookies.length > 0) {
    throw new TypeError("forwardedSession.cookies is set without forwardedSession.url. Give both.");
  }
  if (url !== "" && cookies.length === 0) {
    throw new TypeError("forwardedSession.cookies is empty. Name the cookies that make up a session.");
  }
}

function checkUrl(url: string): void {
  if (url === "") return;
  const found = URL.canParse(url) ? new URL(url) : null;
  if (found && /^https?:$/.test(found.protocol) && found.username === "" && found.password === "") return;
  throw new TypeError(
    `forwardedSession.url: ${shown(url)} is no address. Give one such as https://app.example.com/fanfare-session.`,
  );
}

function checkCookies(cookies: readonly string[]): void {
  const wrong = cookies.find((name) => !COOKIE_NAME.test(name));
  if (wrong === undefined) return;
  throw new TypeError(
    `forwardedSession.cookies: ${shown(wrong)} is no name of a cookie. Give one such as JSESSIONID.`,
  );
}
