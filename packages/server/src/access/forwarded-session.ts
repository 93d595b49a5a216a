/**
 * A user who is logged in to your application is logged in here: its session cookies are shown to an address of the
 * application, which
 * says who it is. The answer is kept for a short time; those who ask the same at once share one question.
 */
import { createHmac } from "node:crypto";
import { FanfareError, quote } from "@fanfare/protocol";
import { z } from "zod";
import type { Clock, Random } from "../base/clock.js";
import type { Log } from "../base/log.js";
import { VERSION } from "../base/package.js";
import type { ForwardedSessionSettings } from "./forwarded-session-options.js";
import { type AccessRequest, notLoggedIn } from "./grants/credentials.js";
import { Grants, userProblem } from "./grants/grants.js";
import { infoOf } from "./grants/info.js";
import { Questions } from "./questions.js";
import type { Authorized } from "./settings.js";
import { boundedText } from "./tokens/bounded-text.js";

const KNOWN_FOR_MS = 15_000;
/** Also for this long an application that cannot be reached is left alone, for each session. */
const UNKNOWN_FOR_MS = 2000;
/** The most answers that are kept; beyond that, those that came first are forgotten. */
const MAX_ANSWERS = 10_000;
/** The most questions on their way at once, and of one address. */
const MAX_ASKING = 256;
const MAX_ASKING_OF_ONE = MAX_ASKING / 2;
const MAX_ANSWER_BYTES = 64 * 1024;
const SECRET_BYTES = 32;
/** What may stand in a header, and nothing that ends one. */
const CSRF_TOKEN = /^[\x21-\x7e]{1,4096}$/;
/** What applications answer with when no user is logged in; many send to the page where one logs in. */
const NOT_KNOWN = new Set([301, 302, 303, 307, 308, 401, 403]);

/** What is wrong with its answer, rather than with the session. */
const ITS_FAULT = new Set<FanfareError["code"]>(["invalid_grants", "invalid_request"]);

const answerSchema = z.object({
  user: z.string().nullable(),
  grants: z.unknown().optional(),
  expires: z.number().nullish(),
  info: z.unknown().optional(),
});

/** Somebody whom the application knows, and since when that is known: milliseconds since 1970. */
export interface Known extends Authorized {
  readonly since: number;
}

interface Answer {
  readonly known: Promise<Known | null>;
  /** By the monotonic clock. */
  until: number;
}

export class ForwardedSession {
  readonly #settings: ForwardedSessionSettings;
  readonly #cookies: ReadonlySet<string>;
  readonly #clock: Clock;
  readonly #secret: Uint8Array;
  readonly #log: Log;
  /** By an HMAC of all that was shown, so that no cookie is kept in memory. */
  readonly #answers = new Map<string, Answer>();
  readonly #questions = new Questions(MAX_ASKING, MAX_ASKING_OF_ONE);

  constructor(settings: ForwardedSessionSettings, clock: Clock, random: Random, log: Log) {
    this.#settings = settings;
    this.#cookies = new Set(settings.cookies);
    this.#clock = clock;
    this.#secret = random.bytes(SECRET_BYTES);
    this.#log = log;
  }

  /** Does the request bring along one of the cookies? */
  concerns(headers: Headers): boolean {
    return this.#cookiesOf(headers) !== "";
  }

  /**
   * Who it is; `null` where the application says that it is an anonymous client, or where there is none of the cookies.
   *
   * @param from the address of the caller, which has a part of all questions that are on their way
   * @throws FanfareError `not_logged_in` when the application does not accept the session, `unavailable` when it cannot be asked
   */
  async ask(
    { headers, host }: AccessRequest,
    csrf: string | undefined,
    from?: string | null,
  ): Promise<Known | null> {
    const cookies = this.#cookiesOf(headers);
    if (cookies === "") return null;
    if (csrf !== undefined && !CSRF_TOKEN.test(csrf)) {
      throw notLoggedIn("the CSRF token is none: give up to 4,096 visible ASCII characters");
    }
    const name = createHmac("sha256", this.#secret)
      .update(JSON.stringify([host, csrf ?? null, cookies]))
      .digest("base64");
    const held = this.#answers.get(name);
    if (held && this.#clock.monotonic() < held.until) return held.known;
    this.#answers.delete(name);
    const known = this.#questions.ask(from, () => this.#request(host, cookies, csrf));
    const answer: Answer = { known, until: Number.POSITIVE_INFINITY };
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size < MAX_ANSWERS) break;
      this.#answers.delete(oldest);
    }
    this.#answers.set(name, answer);
    answer.known.then(
      (known) => this.#keepFor(answer, known ? KNOWN_FOR_MS : UNKNOWN_FOR_MS, known?.expires),
      () => this.#keepFor(answer, UNKNOWN_FOR_MS),
    );
    return answer.known;
  }

  /** Somebody was logged out: nothing that was said before counts any more. */
  forget(): void {
    this.#answers.clear();
  }

  #keepFor(answer: Answer, ms: number, expires?: number): void {
    const leftMs = expires === undefined ? ms : Math.min(ms, expires - this.#clock.now());
    answer.until = this.#clock.monotonic() + leftMs;
  }

  #cookiesOf(headers: Headers): string {
    const pairs = (headers.get("cookie") ?? "").split(";").map((pair) => pair.trim());
    return pairs.filter((pair) => this.#cookies.has(pair.split("=", 1)[0] ?? "")).join("; ");
  }

  async #request(host: string, cookies: string, csrf: string | undefined): Promise<Known | null> {
    const since = this.#clock.now();
    try {
      const response = await fetch(this.#settings.url, {
        headers: {
          Accept: "application/json",
          Cookie: cookies,
          "User-Agent": `fanfare/${VERSION}`,
          ...(host !== "" && { "X-Forwarded-Host": host }),
          ...(csrf !== undefined && { "X-Csrf-Token": csrf }),
        },
        redirect: "manual",
        signal: AbortSignal.timeout(this.#settings.timeoutSeconds * 1000),
      });
      if (NOT_KNOWN.has(response.status)) {
        await response.body?.cancel();
        throw notLoggedIn("the application does not accept this session", "Log in to the application again.");
      }
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`it answered ${response.status}, and 200 or 401 is expected`);
      }
      return this.#read(await boundedText(response, MAX_ANSWER_BYTES), since);
    } catch (error) {
      // What the application granted wrongly is no fault of the caller.
      if (error instanceof FanfareError && !ITS_FAULT.has(error.code)) throw error;
      this.#log.error(
        { err: error, remedy: "Look whether forwardedSession.url is right, and what the application logs." },
        "the application could not say whose session it is",
      );
      throw new FanfareError("unavailable", "the application could not be asked whose session it is", {
        retryAfterSeconds: UNKNOWN_FOR_MS / 1000,
        cause: error,
      });
    }
  }

  /** @throws Error where it is no answer */
  #read(text: string, since: number): Known | null {
    const { user, grants = [], expires, info } = answerSchema.parse(JSON.parse(text));
    if (user === null) return null;
    const problem = userProblem(user);
    if (problem !== null) throw new Error(`user ${problem}: ${quote(user)}`);
    if (typeof expires === "number" && expires <= since) throw notLoggedIn("the session has expired");
    const { list } = new Grants(grants, user);
    infoOf(info);
    return { user, grants: list, since, info, ...(typeof expires === "number" && { expires }) };
  }
}
