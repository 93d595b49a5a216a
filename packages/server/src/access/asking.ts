/**
 * Users whom somebody knows by the request they came with: your own code (`authorize`), or another application (`forwardedSession`).
 * Knows nothing of tokens and keys.
 */
import { FanfareError, shown } from "@fanfare/protocol";
import type { Clock, Random } from "../base/clock.js";
import { inTime } from "../base/in-time.js";
import { checkOptions, membersOf } from "../base/known-names.js";
import type { Log } from "../base/log.js";
import { ForwardedSession } from "./forwarded-session.js";
import { DEFAULT_CHECK_SECONDS } from "./forwarded-session-options.js";
import { type AccessRequest, type Credentials, notLoggedIn } from "./grants/credentials.js";
import { type Grant, userGrantsOf, userProblem } from "./grants/grants.js";
import { infoOf } from "./grants/info.js";
import type { User } from "./grants/principal.js";
import { Questions } from "./questions.js";
import type { AccessSettings, Authorized, AuthorizeHook, AuthorizeRequest } from "./settings.js";

/** Those who came at once, as after a restart, are not asked about at once again, but within this part of the time. */
const SPREAD = 0.2;
/** Your own code has to answer within this time: until then a connection waits that may be anonymous. */
const HOOK_WITHIN_MS = 10_000;
/** The most questions to it that wait, and of one address. */
const MAX_ASKING = 10_000;
const MAX_ASKING_OF_ONE = 1000;

const AUTHORIZED = membersOf<Authorized>({ user: true, grants: true, expires: true, info: true });

export interface AskingParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class Asking {
  /** How often is asked again about those who are connected, and for how long they are kept when the application cannot be reached. */
  readonly everyMs: number;
  readonly #authorize: AuthorizeHook | null;
  readonly #session: ForwardedSession | null;
  readonly #questions = new Questions(MAX_ASKING, MAX_ASKING_OF_ONE);
  readonly #userGrants: readonly Grant[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;

  constructor(settings: AccessSettings, { clock, random, log }: AskingParts) {
    const { authorize, forwardedSession, userGrants } = settings;
    this.everyMs = (forwardedSession?.checkSeconds ?? DEFAULT_CHECK_SECONDS) * 1000;
    this.#authorize = authorize;
    this.#session = forwardedSession && new ForwardedSession(forwardedSession, clock, random, log);
    this.#userGrants = userGrants;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
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
   * Who it is; `null` where no user is known, and, at once, where there is no question to ask. An application is not shown tokens.
   *
   * @param known how much of access has changed by now, as `Access.changes` counts: the answer is as old as the question
   * @throws FanfareError `not_logged_in`, `unavailable`
   */
  ask(credentials: Credentials, known: number): Promise<User | null> | null {
    const { token, csrf, from } = credentials;
    const request = credentials.request?.();
    if (!request) return null;
    const authorize = this.#authorize;
    if (authorize) {
      return this.#questions.ask(from, () => this.#askHook(authorize, { ...request, token, csrf }, known));
    }
    if (!this.#session?.concerns(request.headers) || token !== undefined) return null;
    return this.#askApplication(this.#session, request, csrf, known, from);
  }

  /** Somebody was logged out: nothing that was said before counts any more. */
  forget(): void {
    this.#session?.forget();
  }

  async #askHook(authorize: AuthorizeHook, request: AuthorizeRequest, known: number): Promise<User | null> {
    const answer = (async () => authorize(request))();
    if (!(await inTime(this.#clock, HOOK_WITHIN_MS, answer))) {
      const message = `authorize did not answer within ${HOOK_WITHIN_MS / 1000} seconds`;
      this.#log.error({ remedy: "Let it answer in time, or reject." }, message);
      throw new FanfareError("unavailable", "the application did not say in time who is asking", {
        retryAfterSeconds: 1,
      });
    }
    const found = await answer;
    if (!found) return null;
    checkOptions("what authorize answered", found, AUTHORIZED);
    const user = this.#userOf(found, known);
    if (user.expires === null) return user;
    if (user.expires <= this.#clock.now()) throw notLoggedIn("the session has expired", "Log in again.");
    return { ...user, askAgainAt: user.expires };
  }

  async #askApplication(
    session: ForwardedSession,
    request: AccessRequest,
    csrf: string | undefined,
    known: number,
    from: string | null | undefined,
  ): Promise<User | null> {
    // It does not share a question that was asked before somebody was logged out: see `forget`.
    const found = await session.ask(request, csrf, from);
    if (!found) return null;
    const againAt = found.since + this.everyMs * (1 - SPREAD * this.#random.fraction());
    return { ...this.#userOf(found, known), askAgainAt: Math.min(againAt, found.expires ?? againAt) };
  }

  /** What is said is checked like anything else. Wrong answers are no fault of the caller. @throws TypeError */
  #userOf({ user, grants, expires, info }: Authorized, known: number): User {
    const problem = userProblem(user);
    if (problem !== null) throw new TypeError(`authorize: user ${problem}: ${shown(user)}`);
    if (!Number.isFinite(expires ?? 0)) {
      throw new TypeError(`authorize: expires is ${shown(expires)}. Give milliseconds since 1970.`);
    }
    return {
      kind: "user",
      user,
      ...answered(() => userGrantsOf(user, this.#userGrants, grants)),
      ...answered(() => infoOf(info)),
      token: null,
      issued: Number.NEGATIVE_INFINITY,
      known,
      expires: expires ?? null,
    };
  }
}

/** @throws TypeError where a value is refused */
function answered<Value>(check: () => Value): Value {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof FanfareError)) throw error;
    throw new TypeError(`authorize: ${error.message}. ${error.remedy}`, { cause: error });
  }
}
