import { describe, expect, onTestFinished, test, vi } from "vitest";
import { systemRandom } from "../base/clock.js";
import { Failures } from "../base/failures.js";
import { silentLog } from "../base/log.js";
import { TimingWheel } from "../base/timing-wheel.js";
import { MemoryEngine } from "../engine/memory/memory-engine.js";
import { FakeClock, turns } from "../testing/fake-clock.js";
import { Access } from "./access.js";
import { ClientIdentity } from "./client-identity.js";
import { rateSettings } from "./rates/rate-options.js";
import { Rates } from "./rates/rates.js";
import { Refusals } from "./rates/refusals.js";
import { type AccessOptions, type Authorized, accessSettings } from "./settings.js";
import { ACCESS_SPACE, AccessStore } from "./store/store.js";

const SECRET = "the-secret-of-the-tests-0123456789abcdef";
const HOUR_MS = 3_600_000;

/** A connection that an application knows as alice, for 10 seconds at a time. */
async function alice(options: AccessOptions = {}) {
  const clock = new FakeClock();
  const refusals = new Refusals();
  const engine = new MemoryEngine({ clock });
  const known = (user: string): Authorized => ({ user, grants: [], expires: clock.now() + 10_000 });
  const application = {
    answer: (_token?: string): Authorized | null | Promise<Authorized | null> => known("alice"),
  };
  const access = new Access({
    settings: accessSettings({ authorize: ({ token }) => application.answer(token), ...options }),
    store: new AccessStore({ space: engine.space(ACCESS_SPACE), clock, log: silentLog }),
    engine,
    rates: new Rates(rateSettings(), clock, systemRandom, refusals),
    refusals,
    failures: new Failures(),
    clock,
    random: systemRandom,
    log: silentLog,
  });
  const credentials = {
    request: () => ({
      url: "ws://push.example.com/",
      headers: new Headers(),
      host: "push.example.com",
    }),
  };
  const identity = new ClientIdentity(access, await access.authenticate(credentials), credentials);
  const wheel = new TimingWheel(clock);
  onTestFinished(async () => {
    wheel.stop();
    await engine.close();
  });
  const expelled: string[] = [];
  const watch = () =>
    identity.watch(wheel, clock, {
      expelled: ({ message }) => expelled.push(message),
      askedAgain: () => {},
      failedInside: (error) => expelled.push(String(error)),
    });
  watch();
  const who = () => (identity.principal.kind === "user" ? identity.principal.user : identity.principal.kind);
  const logIn = async (token: string) => {
    identity.logIn(await identity.userOf(token, null), token);
    watch();
  };
  const tokenOf = async (user: string) =>
    (await access.makeToken({ user, grants: [], expiresInSeconds: 3600 })).token;
  return { clock, access, application, known, identity, watch, who, logIn, tokenOf, expelled };
}

const TOKENS: AccessOptions = { tokens: { secrets: [SECRET] } };

describe.each(["logs in as another user", "logs out"])("a connection that %s", (how) => {
  async function changing() {
    const all = await alice(TOKENS);
    const token = await all.tokenOf("bob");
    const change = async () => {
      if (how !== "logs out") return await all.logIn(token);
      all.identity.logOut();
      all.watch();
    };
    return { ...all, change, next: how === "logs out" ? "nobody" : "bob" };
  }

  test("is not sent away because nobody could be asked who it was before", async () => {
    const { clock, application, change, who, next, expelled } = await changing();
    application.answer = () => Promise.reject(new Error("the application is away"));
    await clock.forward(12_000, 1000);
    await change();
    await clock.forward(5 * 60_000, 1000);
    expect([who(), expelled]).toEqual([next, []]);
  });

  test.each(["is known", "is not known"])("does not hear that who it was before %s", async (answer) => {
    const { clock, application, known, change, who, next, expelled } = await changing();
    let tell = (_found: Authorized | null) => {};
    application.answer = () => new Promise((done) => (tell = done));
    await clock.forward(12_000, 1000);
    await change();
    tell(answer === "is known" ? known("alice") : null);
    await clock.forward(60_000, 1000);
    expect([who(), expelled]).toEqual([next, []]);
  });
});

test("who logs in with a token that the application knows is asked about with that token from then on", async () => {
  const { clock, application, known, logIn, who, expelled } = await alice();
  application.answer = (token) => known(token === "of bob" ? "bob" : "alice");
  await logIn("of bob");
  await clock.forward(60_000, 1000);
  expect([who(), expelled]).toEqual(["bob", []]);
});

test("nobody logs in who was logged out while it was found out who they are", async () => {
  const { access, identity, tokenOf, who } = await alice(TOKENS);
  const token = await tokenOf("bob");
  const bob = await identity.userOf(token, null);
  await access.revokeUser("bob");
  expect(() => identity.logIn(bob, token)).toThrow(expect.objectContaining({ code: "not_logged_in" }));
  expect(who()).toBe("alice");
});

test("who was logged out while the application was asked again does not go on", async () => {
  const { clock, access, expelled } = await alice(TOKENS);
  const { authenticate } = access;
  vi.spyOn(access, "authenticate").mockImplementation(async (credentials) => {
    const found = await authenticate.call(access, credentials);
    await access.revokeUser("alice");
    return found;
  });
  await clock.forward(12_000, 1000);
  await turns(5);
  expect(expelled).toEqual([expect.stringContaining("logged out")]);
});

test("an answer about the token before comes too late for a client with a new one", async () => {
  const { clock, application, known, identity, watch, expelled, access } = await alice();
  let tell = (_found: Authorized | null) => {};
  application.answer = (token) => (token === "new" ? known("alice") : new Promise((done) => (tell = done)));
  await clock.forward(10_000, 1000);
  await identity.renew("new", null);
  watch();
  tell(null);
  await turns(5);
  expect([expelled, access.hasEnded(identity.principal)]).toEqual([[], false]);
});

test.each(["before", "after"])(
  "nobody is sent away, or asked about, after the end (watched %s)",
  async (when) => {
    const { clock, application, identity, watch, expelled } = await alice();
    let asked = 0;
    application.answer = () => {
      asked++;
      return null;
    };
    identity.end();
    if (when === "after") watch();
    await clock.forward(HOUR_MS, 60_000);
    await turns(5);
    expect([asked, expelled]).toEqual([0, []]);
  },
);
