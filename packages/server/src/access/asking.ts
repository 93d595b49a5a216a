/**
 * Users whom somebody knows by the request they came with: your own code (`authorize`), or another application (`forwardedSession`).
 * Knows nothing of tokens and keys.
 */
import { quote } from "@fanfare/protocol";
import type { Clock, Random } from "../clock.js";
import type { Log } from "../log.js";
import { type AccessRequest, type Credentials, notLoggedIn } from "./credentials.js";
import { ForwardedSession } from "./forwarded-session.js";
import { DEFAULT_FORWARDED_SESSION } from "./forwarded-session-options.js";
import { type Grant, Grants, grantsOf, userProblem } from "./grants.js";
import { infoOf } from "./info.js";
import type { User } from "./principal.js";
import type { AccessSettings, Authorized, AuthorizeHook, AuthorizeRequest } from "./settings.js";

/** Those who came at once, as after a restart, are not asked about at once again, but within this part of the time. */
const SPREAD = 0.2;

export interface AskingParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Asking {
  /** How often is asked again about those who are connected, and for how long they are kept when nobody can be asked. */
  readonly everyMs: number;
  readonly #authorize: AuthorizeHook | null;
  readonly #session: ForwardedSession | null;
  readonly #userGrants: readonly Grant[];
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(settings: AccessSettings, { clock, random, log }: AskingParts) {
    const { authorize, forwardedSession, userGrants } = settings;
    this.everyMs = (forwardedSession ?? DEFAULT_FORWARDED_SESSION).checkSeconds * 1000;
    this.#authorize = authorize;
    this.#session = forwardedSession && new ForwardedSession(forwardedSession, clock, random, log);
    this.#userGrants = userGrants;
    this.#clock = clock;
    this.#random = random;
  }

  /** Is there anybody to ask? */
  get possible(): boolean {
    return this.#authorize !== null || this.#session !== null;
  }

  /** Would this request be somebody's because of its cookies, which a browser sends along whatever page asks it to? */
  goesByCookies(headers: Headers): boolean {
    if (this.#session) return this.#session.concerns(headers);
    return this.#authorize !== null && headers.has("cookie");
  }

  /**
   * Who it is; `null` where nobody is known, and, at once, where nobody can be asked. An application is not shown tokens.
   *
   * @throws FanfareError `not_logged_in`, `unavailable`
   */
  ask(credentials: Credentials): Promise<User | null> | null {
    const { token, csrf } = credentials;
    const request = credentials.request?.();
    if (!request) return null;
    if (this.#authorize) return this.#askHook(this.#authorize, { ...request, token, csrf });
    if (!this.#session?.concerns(request.headers) || token !== undefined) return null;
    return this.#askApplication(this.#session, request, csrf);
  }

  /** Somebody was logged out: nothing that was said before counts any more. */
  forget(): void {
    this.#session?.forget();
  }

  async #askHook(authorize: AuthorizeHook, request: AuthorizeRequest): Promise<User | null> {
    const found = await authorize(request);
    if (!found) return null;
    const user = this.#userOf(found, this.#clock.now());
    if (user.expires === null) return user;
    if (user.expires <= user.issued) throw notLoggedIn("the session has expired", "Log in again.");
    return { ...user, askAgainAt: user.expires };
  }

  async #askApplication(
    session: ForwardedSession,
    request: AccessRequest,
    csrf: string | undefined,
  ): Promise<User | null> {
    const known = await session.ask(request, csrf);
    if (!known) return null;
    const againAt = known.since + this.everyMs * (1 - SPREAD * this.#random.fraction());
    return { ...this.#userOf(known, known.since), askAgainAt: Math.min(againAt, known.expires ?? againAt) };
  }

  /** What is said is checked like anything else. @throws TypeError, FanfareError `invalid_grants`, `invalid_request` */
  #userOf({ user, grants, expires, info }: Authorized, issued: number): User {
    const problem = userProblem(user);
    if (problem !== null) throw new TypeError(`authorize: user ${problem}: ${quote(String(user))}`);
    const own = new Grants(grants, user);
    return {
      kind: "user",
      user,
      grants: grantsOf(user, this.#userGrants, own.list),
      ...infoOf(info),
      token: null,
      issued,
      expires: expires ?? null,
    };
  }
}
