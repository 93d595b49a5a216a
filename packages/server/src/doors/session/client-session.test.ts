import { FanfareError, parseChannelName } from "@fanfare/protocol";
import { describe, expect, test, vi } from "vitest";
import { type AccessOptions, accessSettings } from "../../access/settings.js";
import { aDoorHost, CALLER, type DoorHostForTests, FakeTransport } from "../../testing/a-door-host.js";
import { turns } from "../../testing/fake-clock.js";
import { authenticate, type Introduction } from "./admission.js";
import { ClientSession } from "./client-session.js";

const TOKENS: AccessOptions = {
  tokens: { secrets: ["the-secret-of-the-tests-0123456789abcdef"] },
};
const [A, B] = [parseChannelName("a"), parseChannelName("b")];

async function tokenOf({ access }: DoorHostForTests, user: string, channel = "*", expiresInSeconds = 3600) {
  const grants = [{ channels: channel, actions: ["subscribe", "publish"] }] as const;
  return (await access.makeToken({ user, grants, expiresInSeconds })).token;
}

/** A client that has come in. */
async function enter(host: DoorHostForTests, introduction: Introduction = {}) {
  const transport = new FakeTransport();
  const session = new ClientSession(host, CALLER, transport);
  host.clients.add(session);
  const admitted = await authenticate(host, CALLER, introduction);
  const secret = session.beginResumable(admitted);
  return { host, transport, session, secret, connection: session.connection };
}

async function alice(options: Parameters<typeof aDoorHost>[1] = {}, expiresInSeconds = 3600) {
  const host = aDoorHost(TOKENS, options);
  return await enter(host, { token: await tokenOf(host, "alice", "*", expiresInSeconds) });
}

const forbidden = () => new FanfareError("forbidden", "not this");
const sentAway = ({ logged }: DoorHostForTests) =>
  logged.filter((text) => text.startsWith("client sent away"));
const shareOwners = ({ hub }: DoorHostForTests) =>
  [...hub.connections.values()].map(({ shareOwner }) => shareOwner);

describe("a client that has left", () => {
  test("is not sent away when its user is logged out, and nothing of it is logged", async () => {
    const { host, session, transport } = await alice();
    session.leave(false);
    await host.access.revokeUser("alice");
    session.accessChanged();
    expect([transport.closings, sentAway(host)]).toEqual([[], []]);
  });

  test("while its new token was looked at is neither told nor watched any more", async () => {
    const { host, session, transport } = await alice();
    const told = vi.fn();
    const renewed = session.renew(await tokenOf(host, "alice", "*", 60), told);
    session.gone();
    await renewed;
    await host.clock.forward(120_000, 1000);
    expect([transport.closings, sentAway(host)]).toEqual([[], []]);
  });

  test("while it logged in as another user is not told to the application as that one", async () => {
    const { host, session } = await alice();
    const users: (string | undefined)[] = [];
    host.hub.lifecycle.on("connected", ({ user }) => void users.push(user));
    const logIn = session.logIn(await tokenOf(host, "bob"));
    session.gone();
    await expect(logIn).rejects.toThrow(/closed/);
    await turns(3);
    expect(users).toEqual([]);
  });
});

describe("a client with a new token", () => {
  test("is told before it is told what has changed, and outlives the token before", async () => {
    const { host, session, transport, connection } = await alice({}, 60);
    session.subscribe("a", { request: 1, since: undefined });
    await turns(3);
    const token = await tokenOf(host, "alice", "b", 3600);
    await session.renew(token, () =>
      connection.answer(new TextEncoder().encode('{"type":"answer","text":"told"}')),
    );
    await turns(3);
    expect(transport.answers).toEqual(["told", "unsubscribed a forbidden"]);
    await host.clock.forward(600_000, 10_000);
    expect(transport.closings).toEqual([]);
    await host.clock.forward(3_600_000, 60_000);
    expect(transport.closings).toEqual(["4401 not_logged_in"]);
  });

  test("is not told that it goes on when its user was logged out while it was looked at", async () => {
    const { host, session, transport } = await alice();
    const token = await tokenOf(host, "alice");
    const { authenticate: original } = host.access;
    vi.spyOn(host.access, "authenticate").mockImplementation(async (credentials) => {
      const found = await original.call(host.access, credentials);
      await host.access.revokeUser("alice");
      return found;
    });
    const told = vi.fn();
    await expect(session.renew(token, told)).rejects.toMatchObject({ code: "not_logged_in" });
    expect(told).not.toHaveBeenCalled();
    expect(transport.closings).toEqual(["4401 not_logged_in"]);
  });
});

describe("a client that logs in as another user", () => {
  const asBob = async (options: Parameters<typeof aDoorHost>[1] = {}) => {
    const entered = await alice(options, 60);
    return { ...entered, logIn: async () => entered.session.logIn(await tokenOf(entered.host, "bob", "b")) };
  };

  test("is told to the application, keeps what that user may hear, and outlives its token before", async () => {
    const { host, session, transport, logIn } = await asBob();
    for (const channel of ["a", "b"]) session.subscribe(channel, { request: 1, since: undefined });
    await turns(3);
    const users: (string | undefined)[] = [];
    host.hub.lifecycle.on("connected", ({ user }) => void users.push(user));
    await logIn();
    await turns(3);
    expect(users).toEqual(["bob"]);
    expect(transport.answers.at(-1)).toBe("unsubscribed a forbidden");
    expect([...session.connection.subscriptions.values()].map(({ channel }) => channel.name)).toEqual(["b"]);
    await host.clock.forward(600_000, 10_000);
    expect(transport.closings).toEqual([]);
  });

  test("counts in the rates of that user from then on", async () => {
    const { session, logIn } = await asBob({ rates: { framesPerUser: 2 } });
    for (let frame = 0; frame < 2; frame++) session.countFrame();
    await turns(1);
    expect(session.countFrame()?.code).toBe("rate_limited");
    await logIn();
    expect(session.countFrame()).toBe(null);
  });

  test("counts in the share of that user, and is closed where a log-out finds no room", async () => {
    const { host, session, transport, logIn } = await asBob({ limits: { connectionsPerOwner: 1 } });
    await logIn();
    expect(shareOwners(host)).toEqual(["user bob"]);
    await enter(host);
    session.logOut();
    expect(transport.closings).toEqual(["1013 share_used_up"]);
    expect(shareOwners(host)).toEqual(["address 203.0.113.7"]);
  });
});

describe("a client that is refused", () => {
  test("for what it may not do is told, and closed after 20 times in a minute", async () => {
    const { host, session, transport } = await alice();
    for (let time = 0; time < 20; time++) expect(session.refused(forbidden())?.code).toBe("forbidden");
    await host.clock.forward(60_000, 10_000);
    for (let time = 0; time < 20; time++) expect(session.refused(forbidden())?.code).toBe("forbidden");
    expect(session.refused(new FanfareError("not_subscribed", "another thing"))?.code).toBe("not_subscribed");
    expect(session.refused(forbidden())).toBe(null);
    expect(transport.closings).toEqual(["4403 forbidden"]);
    expect(sentAway(host)).toHaveLength(1);
  });

  test("because it is not logged in counts in the same way", async () => {
    const { session, transport } = await enter(aDoorHost(TOKENS));
    const notLoggedIn = () => session.refused(new FanfareError("not_logged_in", "log in first"));
    for (let time = 0; time < 20; time++) expect(notLoggedIn()?.code).toBe("not_logged_in");
    expect(notLoggedIn()).toBe(null);
    expect(transport.closings).toEqual(["4403 not_logged_in"]);
  });

  test("for a rate is told, and closed when it goes on for 10 seconds", async () => {
    const { host, session, transport } = await alice({ rates: { framesPerConnection: 1 } });
    session.countFrame();
    for (let second = 0; second <= 10; second++) {
      expect(transport.closings).toEqual([]);
      let refusal = session.countFrame();
      while (!refusal) refusal = session.countFrame();
      session.refused(refusal);
      await host.clock.forward(1000, 1000);
    }
    expect(transport.closings).toEqual(["4429 rate_limited"]);
  });

  test("by a mistake of ours is closed as failed, or destroyed where that fails too", async () => {
    for (const fails of [false, true]) {
      const { host, session, transport } = await alice();
      if (fails) {
        transport.close = () => {
          throw new Error("a mistake");
        };
      }
      expect(session.refused(new TypeError("a mistake"))).toBe(null);
      expect(transport.closings).toEqual([fails ? "destroyed" : "1011 internal"]);
      expect(host.failures.counts.websocket).toBe(1);
    }
  });
});

describe("the session of a client", () => {
  const resumes = async (host: DoorHostForTests, secret: string) =>
    (await host.sessions.resume(secret, "user alice")) !== null;

  test("is over when an administrator or access ends it, and else goes on for a while", async () => {
    const ends = {
      disconnected: ({ session }) => session.end("disconnected"),
      "logged out": ({ session }) => session.expelled(new FanfareError("not_logged_in", "logged out")),
      "left on purpose": ({ session }) => session.gone(true),
      "too slow": ({ session }) => session.end("too_slow"),
      restart: ({ session }) => session.goodbye(2),
      vanished: ({ session }) => session.gone(),
    } satisfies Record<string, (client: Awaited<ReturnType<typeof alice>>) => void>;
    const after: Record<string, boolean> = {};
    for (const [how, end] of Object.entries(ends)) {
      const client = await alice();
      end(client);
      await turns(3);
      after[how] = await resumes(client.host, client.secret);
    }
    expect(after).toEqual({
      disconnected: false,
      "logged out": false,
      "left on purpose": false,
      "too slow": true,
      restart: true,
      vanished: true,
    });
  });

  test("goes on in the newer connection, and closes the one before without ending it", async () => {
    const { host, secret, transport } = await alice();
    const again = await enter(host, { token: await tokenOf(host, "alice"), session: secret });
    expect(transport.closings).toEqual(["4409 unavailable"]);
    await turns(3);
    expect(await resumes(host, again.secret)).toBe(true);
  });

  test("is over when a client is sent away that closes already, and says nothing more", async () => {
    const { host, session, secret, transport } = await alice();
    transport.isClosing = true;
    session.goodbye(2);
    expect(session.connection.ended).toBe(false);
    session.end("disconnected");
    await turns(3);
    expect([transport.closings, await resumes(host, secret)]).toEqual([[], false]);
  });
});

test("rules give a client each channel that it may hear, and none that it hears already", async () => {
  const auto = (channels: string) => ({ channels, auto: true }) as const;
  const host = aDoorHost(
    { anonymous: ["a", "b"].map((channels) => ({ channels, actions: ["subscribe"] })) },
    { rules: ["a", "b", "c"].map(auto) },
  );
  const { session } = await enter(host);
  expect(session.autoChannels()).toEqual(["a", "b"]);
  session.subscribe("a", { request: 1, since: undefined });
  expect(session.autoChannels()).toEqual(["b"]);
});

test("a client with more subscriptions than it may open is not let in at all", async () => {
  const host = aDoorHost(TOKENS, { limits: { subscriptionsPerOwner: 1 } });
  const admitted = await authenticate(host, CALLER, { token: await tokenOf(host, "alice") });
  const session = new ClientSession(host, CALLER, new FakeTransport());
  expect(() => session.begin(admitted, 2)).toThrow(expect.objectContaining({ code: "share_used_up" }));
  expect(shareOwners(host)).toEqual([]);
  session.begin(admitted, 1);
  expect(shareOwners(host)).toEqual(["user alice"]);
});

describe("a call under way", () => {
  test("is looked at again when access has changed, on every channel that was allowed", async () => {
    const host = aDoorHost({ anonymous: [{ channels: "*", actions: ["publish"] }] });
    const { session } = await enter(host);
    const [kept, lost, many] = [
      session.acting("publish", A),
      session.acting("publish", B),
      session.actingOnMany(),
    ];
    for (const channel of [A, B]) many.allowed("publish", channel);
    for (const acting of [kept, lost, many]) acting.check();
    const less = { channels: "a", actions: ["publish"] } as const;
    host.access.reload(accessSettings({ anonymous: [less] }));
    kept.check();
    for (const acting of [lost, many, lost, many]) {
      expect(() => acting.check()).toThrow(expect.objectContaining({ code: "forbidden" }));
    }
  });

  test("is not done for a client that was sent away", async () => {
    const { host, session } = await alice();
    const [one, many] = [session.acting("publish", A), session.actingOnMany()];
    await host.access.revokeUser("alice");
    for (const acting of [one, many]) {
      expect(() => acting.check()).toThrow(expect.objectContaining({ code: "not_logged_in" }));
    }
  });
});
