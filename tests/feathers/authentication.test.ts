/** `@feathersjs/authentication-client` with tokens of Fanfare, over Socket.IO and over REST. */
import type { Application } from "@feathersjs/feathers";
import { describe, expect, test } from "vitest";
import type { FanfareOptions } from "../../packages/server/src/library/options.js";
import { FakeClock } from "../../packages/server/src/testing/fake-clock.js";
import { serve } from "../doors/serving.js";
import { ask } from "../doors/socketio-client.js";
import { soon } from "../doors/waiting.js";
import { authenticating, errors, onSocket, overRest } from "./feathers-client.js";

const SECRETS = ["the-secret-of-the-tests-0123456789-0123"];
const KEY = "key-of-the-server-0123456789";
const ALL = ["history", "publish", "patch", "subscribe"] as const;

async function serving(options: FanfareOptions = {}) {
  const served = await serve({
    access: "granted",
    tokens: { secrets: SECRETS },
    apiKeys: [KEY],
    socketio: { services: ["orders"] },
    ...options,
  });
  const tokenOf = async (user: string, channels = "*") => {
    const grants = [channels, `${channels}:*`].map((pattern) => ({ channels: pattern, actions: [...ALL] }));
    return (await served.fanfare.token({ user, grants })).token;
  };
  return { ...served, site: `http://localhost:${served.port}`, tokenOf };
}

test("who logs in and out on an open connection is told to the application as another user each time", async () => {
  const { fanfare, site, tokenOf } = await serving();
  const told: string[] = [];
  fanfare.on("connected", ({ user, version }) => void told.push(`in ${user} ${version}`));
  fanfare.on("disconnected", ({ user, version }) => void told.push(`out ${user} ${version}`));
  const { app, socket } = await onSocket(site);
  const client = authenticating(app);
  await client.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
  await client.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
  await client.logout();
  socket.disconnect();
  await expect.poll(() => told.length, { interval: 1 }).toBe(6);
  expect(told).toEqual([
    "in undefined 1",
    "out undefined 2",
    "in alice 3",
    "out alice 4",
    "in undefined 5",
    "out undefined 6",
  ]);
});

describe.each(["Socket.IO", "REST"])("over %s", (transport) => {
  async function client(site: string, options?: object) {
    const app: Application = transport === "REST" ? overRest(site) : (await onSocket(site)).app;
    return authenticating(app, options);
  }

  test("a client logs in with a token, calls as that user, and logs out", async () => {
    const { site, tokenOf } = await serving();
    const app = await client(site);
    const orders = app.service("orders");
    await expect(orders.find()).rejects.toBeInstanceOf(errors.NotAuthenticated);
    const accessToken = await tokenOf("alice");
    const logged = await app.authenticate({ strategy: "jwt", accessToken });
    expect(logged).toEqual({
      accessToken,
      authentication: {
        strategy: "jwt",
        payload: expect.objectContaining({ sub: "alice", iat: expect.any(Number), exp: expect.any(Number) }),
      },
      user: { id: "alice" },
    });
    expect(await orders.create({ id: 1 })).toEqual({ id: 1 });
    expect(await app.logout()).toMatchObject({ user: { id: "alice" } });
    await expect(orders.find()).rejects.toBeInstanceOf(errors.NotAuthenticated);
  });

  test("a client that kept its token logs in again with it", async () => {
    const { site, tokenOf } = await serving();
    const first = await client(site);
    await first.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
    const storage = first.get("storage");
    const second = await client(site, { storage });
    expect(await second.reAuthenticate()).toMatchObject({ user: { id: "alice" } });
    expect(await second.service("orders").find()).toMatchObject({ total: 0 });
  });

  test("what cannot be is answered as Feathers answers it", async () => {
    const { site, tokenOf } = await serving();
    const app = await client(site);
    const refused = (data: object) =>
      app.authenticate(data).then(
        () => null,
        (error: unknown) => error,
      );
    expect(await refused({ strategy: "jwt", accessToken: "nonsense" })).toBeInstanceOf(
      errors.NotAuthenticated,
    );
    expect(await refused({ strategy: "jwt" })).toMatchObject({ name: "NotAuthenticated" });
    expect(await refused({ strategy: "jwt", accessToken: KEY })).toMatchObject({
      name: "NotAuthenticated",
      message: "this is an API key, and not the token of a user",
    });
    expect(await refused({ strategy: "local", email: "a@example.com", password: "x" })).toMatchObject({
      name: "NotAuthenticated",
      data: { code: "not_logged_in", remedy: expect.stringContaining('strategy: "jwt"') },
    });
    await expect(app.service("authentication").find()).rejects.toBeInstanceOf(errors.MethodNotAllowed);
    await expect(app.service("authentication").remove(null)).rejects.toBeInstanceOf(errors.NotAuthenticated);
    expect(await app.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") })).toBeTruthy();
  });

  test("a token that was revoked logs nobody in", async () => {
    const { site, tokenOf, fanfare } = await serving();
    const accessToken = await tokenOf("alice");
    await fanfare.logOut("alice");
    const app = await client(site);
    await expect(app.authenticate({ strategy: "jwt", accessToken })).rejects.toBeInstanceOf(
      errors.NotAuthenticated,
    );
  });

  test("log-ins that are refused are counted as everywhere", async () => {
    const { site } = await serving({ rates: { logInsPerAddress: 2 }, trustedProxies: ["127.0.0.1", "::1"] });
    const headers = { "X-Forwarded-For": "203.0.113.7" };
    const app: Application =
      transport === "REST"
        ? overRest(site, undefined, headers)
        : (await onSocket(site, { extraHeaders: headers })).app;
    const authentication = app.service("authentication");
    const attempt = () => authentication.create({ strategy: "jwt", accessToken: "nonsense" });
    const names = new Set<string>();
    for (let tries = 0; tries < 10 && !names.has("TooManyRequests"); tries++) {
      await attempt().catch(({ name }: Error) => names.add(name));
    }
    expect([...names]).toEqual(["NotAuthenticated", "TooManyRequests"]);
  });
});

describe("a connection", () => {
  test("hears what its user may hear, from the log-in to the log-out", async () => {
    const { site, tokenOf, fanfare } = await serving();
    const page = await onSocket(site);
    const app = authenticating(page.app);
    const events = (event: string) => page.heard.nextThat((heard) => heard.event === event);
    await app.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
    expect((await events("subscribed")).args[0]).toMatchObject({ channel: "orders" });
    await fanfare.publish("orders", { id: 1 }, { event: "created" });
    expect((await events("orders created")).args[0]).toEqual({ id: 1 });
    await ask(page, "subscribe", "news");
    await app.logout();
    const gone = [await events("unsubscribed"), await events("unsubscribed")];
    expect(gone.map(({ args }) => args[0])).toMatchObject([{ channel: "orders" }, { channel: "news" }]);
    expect(await ask(page, "subscribe", "news")).toMatchObject({ error: { name: "Forbidden" } });
    expect(page.socket.connected).toBe(true);
  });

  test("goes on as another user, and keeps of its subscriptions what that one may hear", async () => {
    const { site, tokenOf, fanfare } = await serving();
    const page = await onSocket(site, {
      auth: { token: await tokenOf("alice"), channels: ["news", "orders"] },
    });
    const app = authenticating(page.app);
    for (const name of ["news", "orders"]) {
      expect((await page.heard.nextThat(({ event }) => event === "subscribed")).args[0]).toMatchObject({
        channel: name,
      });
    }
    await app.authenticate({ strategy: "jwt", accessToken: await tokenOf("bob", "news") });
    expect((await page.heard.nextThat(({ event }) => event === "unsubscribed")).args[0]).toMatchObject({
      channel: "orders",
    });
    const position = await ask<{ offset: number }>(page, "publish", { channel: "news", data: "by bob" });
    expect((await page.heard.nextThat(({ event }) => event === "message")).args[0]).toMatchObject({
      data: "by bob",
      user: "bob",
      offset: position.offset,
    });
    // Sent away as bob, and not as alice.
    await fanfare.logOut("alice");
    expect(await ask(page, "publish", { channel: "news", data: 1 })).toMatchObject({ channel: "news" });
    await fanfare.logOut("bob");
    expect((await page.heard.nextThat(({ event }) => event === "goodbye")).args[0]).toMatchObject({
      error: { name: "NotAuthenticated" },
    });
  });

  test("is present as the user who has logged in", async () => {
    const { site, tokenOf, fanfare } = await serving({
      access: "open",
      rules: [{ channels: "room", presence: true }],
    });
    const page = await onSocket(site);
    await ask(page, "subscribe", "room");
    const ids = async () => (await fanfare.presence.list("room")).members.map(({ id }) => id);
    expect(await ids()).toEqual([expect.stringMatching(/^session:/)]);
    const app = authenticating(page.app);
    await app.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
    expect(await ids()).toEqual(["user:alice"]);
    await app.logout();
    expect(await ids()).toEqual([expect.stringMatching(/^session:/)]);
  });

  test("ends when the token does with which it has logged in", async () => {
    const clock = new FakeClock();
    const { site, fanfare } = await serving({ tokens: { secrets: SECRETS, clockSkewSeconds: 0 }, clock });
    const page = await onSocket(site);
    const grants = [{ channels: "news", actions: ["subscribe" as const] }];
    const { token } = await fanfare.token({ user: "alice", grants, expiresInSeconds: 60 });
    await authenticating(page.app).authenticate({ strategy: "jwt", accessToken: token });
    clock.advance(62_000);
    expect((await page.heard.nextThat(({ event }) => event === "goodbye")).args[0]).toMatchObject({
      error: { name: "NotAuthenticated" },
    });
  });

  test("that was logged out outlives the token with which it came", async () => {
    const clock = new FakeClock();
    const { site, fanfare } = await serving({
      tokens: { secrets: SECRETS, clockSkewSeconds: 0 },
      access: "open",
      clock,
    });
    const grants = [{ channels: "news", actions: ["subscribe" as const] }];
    const { token } = await fanfare.token({ user: "alice", grants, expiresInSeconds: 60 });
    const [page, other] = await Promise.all([
      onSocket(site, { auth: { token } }),
      onSocket(site, { auth: { token } }),
    ]);
    const app = authenticating(page.app);
    await app.service("authentication").remove(null);
    clock.advance(62_000);
    await other.heard.nextThat(({ event }) => event === "goodbye");
    expect(await ask(page, "publish", { channel: "news", data: 1 })).toMatchObject({ channel: "news" });
  });

  test("counts as one that its user has opened", async () => {
    const { site, tokenOf } = await serving({ rates: { connectsPerUser: 2 } });
    const accessToken = await tokenOf("alice");
    const names: unknown[] = [];
    for (let page = 0; page < 3; page++) {
      const app = authenticating((await onSocket(site)).app);
      const logged = app.authenticate({ strategy: "jwt", accessToken });
      names.push(
        await logged.then(
          () => "in",
          ({ name }: Error) => name,
        ),
      );
      // The same user again opens nothing.
      if (page === 0) await app.service("authentication").create({ strategy: "jwt", accessToken });
    }
    expect(names).toEqual(["in", "in", "TooManyRequests"]);
  });

  test("that comes back logs in again by itself", async () => {
    const { site, tokenOf } = await serving();
    const page = await onSocket(site, { reconnection: true, reconnectionDelay: 1 });
    const app = authenticating(page.app);
    await app.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
    const again = new Promise((done) => app.once("login", done));
    page.socket.io.engine.close();
    expect(await soon(again, "the log-in")).toMatchObject({ user: { id: "alice" } });
    expect(await app.service("orders").find()).toMatchObject({ total: 0 });
  });

  test("does not hear again by itself what it has left", async () => {
    const { site, tokenOf } = await serving();
    const page = await onSocket(site, { auth: { token: await tokenOf("alice") } });
    await page.heard.nextThat(({ event }) => event === "subscribed");
    await ask(page, "unsubscribe", "orders");
    await authenticating(page.app).authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
    expect(await ask(page, "unsubscribe", "orders")).toMatchObject({
      error: { data: { code: "not_subscribed" } },
    });
  });

  test("with an API key stays that of a server", async () => {
    const { site, tokenOf } = await serving();
    const page = await onSocket(site, { auth: { token: KEY } });
    const accessToken = await tokenOf("alice");
    expect(
      await ask(page, "find", "orders", {}).catch(() => "called back with an error first"),
    ).toBeDefined();
    await expect(
      authenticating(page.app).authenticate({ strategy: "jwt", accessToken }),
    ).rejects.toMatchObject({
      name: "NotAuthenticated",
      message: "the connection has an API key",
    });
  });
});

describe("REST", () => {
  test("takes a token without Bearer, as clients whose scheme is empty send it", async () => {
    const { site, tokenOf } = await serving();
    const app = authenticating(overRest(site), { scheme: "" });
    await app.authenticate({ strategy: "jwt", accessToken: await tokenOf("alice") });
    expect(await app.service("orders").find()).toMatchObject({ total: 0 });
  });

  test("the place to log in may be another, or nowhere", async () => {
    const post = (site: string, path: string) => fetch(`${site}${path}`, { method: "POST", body: "{}" });
    const { site } = await serving({ socketio: { services: ["orders"], authentication: "/api/login" } });
    expect((await post(site, "/api/login")).status).toBe(401);
    expect((await post(site, "/authentication")).status).toBe(404);
    const other = await serving({ socketio: { services: ["orders"], authentication: "" } });
    expect((await post(other.site, "/authentication")).status).toBe(404);
    for (const socketio of [
      { services: ["authentication"] },
      { services: ["orders"], authentication: "/orders" },
      { services: ["orders"], authentication: "/socket.io" },
    ]) {
      await expect(serving({ socketio })).rejects.toThrow(TypeError);
    }
  });
});
