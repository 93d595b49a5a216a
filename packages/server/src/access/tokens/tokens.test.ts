import { generateKeyPairSync } from "node:crypto";
import { parseChannelName } from "@fanfare/protocol";
import fc from "fast-check";
import { type JWTPayload, UnsecuredJWT } from "jose";
import { describe, expect, test } from "vitest";
import { bytes, CLAIMS, clock, NOW, SECRET, sign, verifier } from "../../testing/tokens.js";
import { signToken } from "./sign.js";

const refused = (why: RegExp) => ({ code: "not_logged_in", message: expect.stringMatching(why) });

describe("a token", () => {
  test("says who it is and what he may do", async () => {
    const grants = [{ channels: "user:{sub}:*", actions: ["subscribe"] }];
    const user = await verifier().verify(await sign({ ...CLAIMS, jti: "t1", grants }));
    expect(user).toMatchObject({
      kind: "user",
      user: "alice",
      token: "t1",
      issued: NOW * 1000,
      expires: (NOW + 60) * 1000,
    });
    expect(user.grants.find("subscribe", parseChannelName("user:alice:a"))).toEqual(grants[0]);
    expect(user.grants.find("subscribe", parseChannelName("user:bob:a"))).toBeNull();
  });

  test("with an empty jti is no other token's", async () => {
    const ids = await Promise.all(
      ["alice", "bob"].map(
        async (sub) => (await verifier().verify(await sign({ ...CLAIMS, sub, jti: "" }))).token,
      ),
    );
    expect(ids).toEqual([expect.stringMatching(/^sha256:/), expect.stringMatching(/^sha256:/)]);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test("whose times are no dates is refused as any other", async () => {
    const wrong: readonly JWTPayload[] = [
      { ...CLAIMS, exp: -1e20 },
      { ...CLAIMS, nbf: 1e300 },
    ];
    for (const claims of wrong) {
      await expect(verifier().verify(await sign(claims))).rejects.toMatchObject(
        refused(/seconds since 1970/),
      );
    }
  });

  test("adds to what every user may do", async () => {
    const own = { channels: "user:{sub}:*", actions: ["subscribe"] } as const;
    const grants = [{ channels: "news", actions: ["subscribe"] }];
    const user = await verifier({ secrets: [SECRET] }, [own]).verify(await sign({ ...CLAIMS, grants }));
    expect(user.grants.list).toEqual([own, ...grants]);
    expect((await verifier().verify(await sign())).grants.list).toEqual([]);
  });

  test("may be signed by any of the secrets, so that one can be replaced", async () => {
    const { verify } = {
      verify: (token: string) => verifier({ secrets: [`new-${SECRET}`, SECRET] }).verify(token),
    };
    await expect(verify(await sign())).resolves.toMatchObject({ user: "alice" });
    await expect(verify(await sign(CLAIMS, { key: bytes(`new-${SECRET}`) }))).resolves.toMatchObject({
      user: "alice",
    });
  });

  test("is made by the library's helper, too", async () => {
    const made = await signToken({
      secret: SECRET,
      user: "bob",
      grants: [],
      now: clock.now(),
      expiresInSeconds: 90,
    });
    expect(await verifier().verify(made.token)).toMatchObject({
      user: "bob",
      token: made.id,
      expires: made.expires,
    });
    await expect(signToken({ secret: "short", user: "bob", grants: [] })).rejects.toThrow(/openssl rand/);
    await expect(signToken({ secret: SECRET, user: "", grants: [] })).rejects.toThrow(`user is ""`);
  });

  test.each<[string, JWTPayload, RegExp]>([
    ["has expired", { ...CLAIMS, exp: NOW - 31 }, /expired at \d{4}-/],
    ["is not valid yet", { ...CLAIMS, nbf: NOW + 31 }, /not valid before \d{4}-/],
    ["is made in the future", { ...CLAIMS, iat: NOW + 40 }, /in the future/],
    ["never expires", { sub: "alice" }, /exp.*missing/],
    ["lives for too long", { ...CLAIMS, exp: NOW + 90_000 }, /more than 86400 seconds/],
    [
      "lives for too long, and does not say since when",
      { sub: "alice", exp: NOW + 90_000 },
      /more than 86400/,
    ],
    ["has a time that is none", { ...CLAIMS, exp: "tomorrow" as unknown as number }, /exp/],
    ["names nobody", { exp: NOW + 60 }, /sub is missing/],
    ["names nobody by an empty text", { ...CLAIMS, sub: "" }, /sub is ""/],
    ["names somebody at length", { ...CLAIMS, sub: "a".repeat(201) }, /201 characters/],
    ["names somebody by half a character", { ...CLAIMS, sub: "a\ud800" }, /Unicode/],
    ["has an id that is no text", { ...CLAIMS, jti: 1 as unknown as string }, /jti/],
    ["has grants that are none", { ...CLAIMS, grants: "all" }, /grants is "all"/],
    ["has a grant with an unknown action", { ...CLAIMS, grants: [{ channels: "a", actions: ["x"] }] }, /"x"/],
  ])("is refused when it %s", async (_, claims, why) => {
    await expect(verifier().verify(await sign(claims))).rejects.toMatchObject(refused(why));
  });

  test("may be off by the clock skew", async () => {
    await expect(verifier().verify(await sign({ ...CLAIMS, exp: NOW - 29 }))).resolves.toBeDefined();
    await expect(verifier().verify(await sign({ ...CLAIMS, nbf: NOW + 29 }))).resolves.toBeDefined();
  });

  test("is for the audience and from the issuer that are wanted", async () => {
    const wanted = verifier({ secrets: [SECRET], issuers: ["app"], audiences: ["push", "chat"] });
    await expect(
      wanted.verify(await sign({ ...CLAIMS, iss: "app", aud: ["x", "chat"] })),
    ).resolves.toBeDefined();
    for (const [claims, why] of [
      [{ iss: "app" }, /aud is missing/],
      [{ iss: "app", aud: "shop" }, /aud is "shop"/],
      [{ iss: "evil\n", aud: "push" }, /iss is "evil\\n"/],
      [{ aud: "push" }, /iss is missing/],
    ] as const) {
      await expect(wanted.verify(await sign({ ...CLAIMS, ...claims }))).rejects.toMatchObject(refused(why));
    }
  });
});

describe("what is no token", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();

  test("is refused: nothing, garbage, one without signature, one cut off anywhere", async () => {
    const good = await sign();
    const none = new UnsecuredJWT(CLAIMS).encode();
    for (const text of ["", ".", "..", "a.b.c", "null", good.replace(/\.[^.]+$/, "."), `${none}x`]) {
      await expect(verifier().verify(text), text).rejects.toMatchObject({ code: "not_logged_in" });
    }
    await expect(verifier().verify(none)).rejects.toMatchObject(refused(/algorithm is "none"/));
    for (let length = 0; length < good.length; length += 3) {
      await expect(verifier().verify(good.slice(0, length))).rejects.toMatchObject({ code: "not_logged_in" });
    }
  });

  test("is refused when it is longer than any should be, without being looked at", async () => {
    const huge = await sign({ ...CLAIMS, more: "x".repeat(1024 * 1024) });
    await expect(verifier().verify(huge)).rejects.toMatchObject(refused(/8192 are allowed/));
  });

  test("is refused when anything in it was changed", async () => {
    const good = await sign();
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom(..."Aa0-_.Zz9"), async (at, character) => {
        const changed = good.slice(0, at) + character + good.slice(at + 1);
        // The last character of a signature has bits that mean nothing.
        fc.pre(changed !== good && at < good.length - 1);
        await expect(verifier().verify(changed)).rejects.toMatchObject({ code: "not_logged_in" });
      }),
      { numRuns: 200 },
    );
  });

  test("is refused when it is signed with another secret, or with none that this server has", async () => {
    const forged = await sign(CLAIMS, { key: bytes(SECRET.replace("a", "b")) });
    await expect(verifier().verify(forged)).rejects.toMatchObject(refused(/signature/));
    await expect(verifier({}).verify(await sign())).rejects.toMatchObject({
      message: 'the token\'s algorithm is "HS256"',
      remedy: expect.stringContaining("tokens.secrets"),
    });
  });

  test("is refused when a public key was used as a secret, or a public algorithm with a secret", async () => {
    const both = verifier({ secrets: [SECRET], publicKeys: [pem] });
    await expect(both.verify(await sign(CLAIMS, { key: bytes(pem) }))).rejects.toMatchObject(
      refused(/signature/),
    );
    await expect(
      verifier({ publicKeys: [pem] }).verify(await sign(CLAIMS, { key: bytes(pem) })),
    ).rejects.toMatchObject(refused(/algorithm is "HS256"/));
    const rsa = await sign(CLAIMS, { alg: "RS256", key: privateKey });
    await expect(both.verify(rsa)).resolves.toMatchObject({ user: "alice" });
    await expect(verifier().verify(rsa)).rejects.toMatchObject(refused(/algorithm is "RS256"/));
  });

  test("never shows up in the message", async () => {
    const token = await sign({ ...CLAIMS, exp: NOW - 100 });
    const [, payload = "", signature = ""] = token.split(".");
    for (const text of [token, `${token}x`, "secret-key-that-is-wrong"]) {
      const error = await verifier().verify(text).catch(String);
      for (const part of [payload, signature, "secret-key"]) expect(error).not.toContain(part);
    }
  });
});
