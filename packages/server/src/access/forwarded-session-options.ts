/** Where to ask whose session it is, and what is shown there. */
import { shown } from "@fanfare/protocol";
import { checkKinds, checkOptions, givenOf, membersOf } from "../base/known-names.js";

export interface ForwardedSessionOptions {
  /**
   * Address of the application that says whose session it is. It is asked with GET, the listed cookies, the CSRF token as
   * `X-Csrf-Token` and the browser's host as `X-Forwarded-Host`; it answers 200 with `{"user": "alice", "grants": […], "expires": …}`
   * or `{"user": null}`, or 401. @default none
   */
  readonly url?: string | undefined;
  /** Names of the cookies that make up a session; no other is shown to anybody. */
  readonly cookies?: readonly string[];
  /** How often the application is asked again about those who are connected, in seconds. @default 300 */
  readonly checkSeconds?: number;
  /** How long the application may take to answer, in seconds. @default 5 */
  readonly timeoutSeconds?: number;
}

export interface ForwardedSessionSettings extends Required<ForwardedSessionOptions> {
  readonly url: string;
}

export const DEFAULT_FORWARDED_SESSION = { checkSeconds: 300, timeoutSeconds: 5 } as const;

const OPTIONS = membersOf<ForwardedSessionOptions>({
  url: true,
  cookies: true,
  checkSeconds: true,
  timeoutSeconds: true,
});

/** A token of RFC 6265. */
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** `null` where there is no address to ask. @throws TypeError */
export function forwardedSessionSettings(
  options: ForwardedSessionOptions = {},
): ForwardedSessionSettings | null {
  checkOptions("forwardedSession", options, OPTIONS);
  checkKinds("forwardedSession.", options, { cookies: "a list" });
  const { url, cookies = [] } = options;
  const { checkSeconds, timeoutSeconds } = { ...DEFAULT_FORWARDED_SESSION, ...givenOf(options) };
  if (!url) {
    if (cookies.length === 0) return null;
    throw new TypeError("forwardedSession.cookies is set without forwardedSession.url. Give both.");
  }
  checkUrl(url);
  if (cookies.length === 0) {
    throw new TypeError("forwardedSession.cookies is empty. Name the cookies that make up a session.");
  }
  checkCookies(cookies);
  for (const [name, value] of Object.entries({ checkSeconds, timeoutSeconds })) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new TypeError(`forwardedSession.${name} is ${shown(value)}. Give a number of seconds above 0.`);
  }
  return { url, cookies, checkSeconds, timeoutSeconds };
}

/** @throws TypeError */
export function checkUrl(url: string): void {
  const found = typeof url === "string" && URL.canParse(url) ? new URL(url) : null;
  if (found && /^https?:$/.test(found.protocol) && found.username === "" && found.password === "") return;
  throw new TypeError(
    `forwardedSession.url: ${shown(url)} is no address. Give one such as https://app.example.com/fanfare-session.`,
  );
}

/** @throws TypeError */
export function checkCookies(cookies: readonly string[]): void {
  const at = cookies.findIndex((name) => typeof name !== "string" || !COOKIE_NAME.test(name));
  if (at < 0) return;
  const wrong = cookies[at];
  throw new TypeError(
    `forwardedSession.cookies: ${shown(wrong)} is no name of a cookie. Give one such as JSESSIONID.`,
  );
}
