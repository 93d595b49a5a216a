import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK } from "jose";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { CLAIMS, sign, verifier } from "../../testing/tokens.js";

const refused = (why: RegExp) => ({ code: "not_logged_in", message: expect.stringMatching(why) });

describe("public keys", () => {
  const pairs = {
    rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    p256: generateKeyPairSync("ec", { namedCurve: "prime256v1" }),
    p384: generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
    p521: generateKeyPairSync("ec", { namedCurve: "secp521r1" }),
    ed25519: generateKeyPairSync("ed25519"),
  };
  const pemOf = (key: KeyObject) => key.export({ type: "spki", format: "pem" }).toString();
  const publicKeys = Object.values(pairs).map(({ publicKey }) => pemOf(publicKey));

  test.each([
    ["RS256", "rsa"],
    ["RS384", "rsa"],
    ["RS512", "rsa"],
    ["PS256", "rsa"],
    ["PS384", "rsa"],
    ["PS512", "rsa"],
    ["ES256", "p256"],
    ["ES384", "p384"],
    ["ES512", "p521"],
    ["EdDSA", "ed25519"],
    ["Ed25519", "ed25519"],
  ] as const)("check %s", async (alg, name) => {
    const token = await sign(CLAIMS, { alg, key: pairs[name].privateKey });
    await expect(verifier({ publicKeys }).verify(token)).resolves.toMatchObject({ user: "alice" });
    const others = publicKeys.filter((pem) => pem !== pemOf(pairs[name].publicKey));
    await expect(verifier({ publicKeys: others }).verify(token)).rejects.toMatchObject({
      code: "not_logged_in",
    });
  });

  test.each([
    [
      "a private key",
      pairs.rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      /private key/,
    ],
    ["no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", /no public key/],
    ["a weak key", pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey), /1024 bits/],
    ["another kind of key", pemOf(generateKeyPairSync("x25519").publicKey), /x25519/],
  ])("are refused at once when they are %s", (_, pem, why) => {
    expect(() => verifier({ publicKeys: [pem] })).toThrow(why);
  });
});

/** @returns the address of a set that is answered so */
async function serving(answer: (response: ServerResponse) => unknown): Promise<string> {
  const server = createServer((_, response) => void answer(response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
}

describe("a key set", () => {
  test("is fetched once, again when a token names a key that is new, and not for every token with an unknown one", async () => {
    const [first, second] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
    const keys = [{ ...(await exportJWK(first.publicKey)), kid: "1", alg: "EdDSA", use: "sig" }];
    let fetched = 0;
    const server = createServer((_, response) => {
      fetched++;
      response.end(JSON.stringify({ keys }));
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => void server.close());
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const { verify } = { verify: (token: string) => remote.verify(token) };
    const remote = verifier({ jwksUrl });
    const signed = (pair: typeof first, kid: string) =>
      sign(CLAIMS, { alg: "EdDSA", key: pair.privateKey, kid });

    const token = await signed(first, "1");
    await Promise.all([verify(token), verify(token)]);
    await verify(token);
    expect(fetched).toBe(1);
    await expect(verify(await signed(second, "1"))).rejects.toMatchObject(refused(/signature/));
    await expect(verify(await signed(second, "2"))).rejects.toMatchObject(refused(/signature/));
    await expect(verify(await signed(second, "3"))).rejects.toMatchObject(refused(/signature/));
    expect(fetched).toBeLessThanOrEqual(2);
    await expect(verify(await sign())).rejects.toMatchObject(refused(/algorithm is "HS256"/));
  });

  test("may change: a new key is accepted within 10 seconds, one that was taken out for 10 minutes at most", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const pairs = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")] as const;
    const published = async (index: 0 | 1) => ({
      ...(await exportJWK(pairs[index].publicKey)),
      kid: String(index),
      alg: "EdDSA",
    });
    let keys = [await published(0)];
    const server = createServer((_, response) => void response.end(JSON.stringify({ keys })));
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => void server.close());
    const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
    const remote = verifier({ jwksUrl });
    const signed = (index: 0 | 1) =>
      sign(CLAIMS, { alg: "EdDSA", key: pairs[index].privateKey, kid: String(index) });

    await remote.verify(await signed(0));
    keys = [await published(0), await published(1)];
    vi.setSystemTime(Date.now() + 10_000);
    await expect(remote.verify(await signed(1))).resolves.toMatchObject({ user: "alice" });
    keys = [await published(1)];
    await expect(remote.verify(await signed(0))).resolves.toMatchObject({ user: "alice" });
    vi.setSystemTime(Date.now() + 600_000);
    await expect(remote.verify(await signed(0))).rejects.toMatchObject(refused(/signature/));
    await expect(remote.verify(await signed(1))).resolves.toMatchObject({ user: "alice" });
  });

  test("that was replaced is fetched once within 10 seconds for tokens that name no key, or the same", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    const pairs = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")] as const;
    let published = pairs[0];
    let fetched = 0;
    const jwksUrl = await serving(async (response) => {
      fetched++;
      response.end(JSON.stringify({ keys: [{ ...(await exportJWK(published.publicKey)), kid: "1" }] }));
    });
    const remote = verifier({ jwksUrl });
    const signed = (pair: (typeof pairs)[number], kid?: string) =>
      sign(CLAIMS, { alg: "EdDSA", key: pair.privateKey, ...(kid !== undefined && { kid }) });
    await remote.verify(await signed(pairs[0]));
    published = pairs[1];
    await expect(remote.verify(await signed(pairs[1]))).rejects.toMatchObject(refused(/signature/));
    expect(fetched).toBe(1);
    vi.setSystemTime(Date.now() + 10_000);
    await expect(remote.verify(await signed(pairs[1]))).resolves.toMatchObject({ user: "alice" });
    expect(fetched).toBe(2);
    published = pairs[0];
    vi.setSystemTime(Date.now() + 10_000);
    await expect(remote.verify(await signed(pairs[0], "1"))).resolves.toMatchObject({ user: "alice" });
    // A forged one has it fetched no more often.
    for (let count = 0; count < 5; count++) {
      await expect(remote.verify(await signed(pairs[1]))).rejects.toMatchObject(refused(/signature/));
    }
    expect(fetched).toBe(3);
  });

  test("that never ends costs 1 MiB, and is given up", async () => {
    const block = Buffer.alloc(64 * 1024, " ");
    let taken = 0;
    let left = () => {};
    const gone = new Promise<void>((done) => {
      left = done;
    });
    const jwksUrl = await serving((response) => {
      const write = () => {
        do taken += block.length;
        while (!response.destroyed && response.write(block));
      };
      response.on("close", left);
      response.on("drain", write);
      write();
    });
    const token = await sign(CLAIMS, { alg: "EdDSA", key: generateKeyPairSync("ed25519").privateKey });
    await expect(verifier({ jwksUrl }).verify(token)).rejects.toMatchObject({ code: "unavailable" });
    await gone;
    // What both sockets hold is beside it.
    expect(taken).toBeLessThan(16 * 1024 * 1024);
  });

  test("that cannot be fetched lets nobody in, and says that it is not the token's fault", async () => {
    const remote = verifier({ jwksUrl: "http://127.0.0.1:1/keys" });
    const token = await sign(CLAIMS, {
      alg: "EdDSA",
      key: generateKeyPairSync("ed25519").privateKey,
      kid: "1",
    });
    await expect(remote.verify(token)).rejects.toMatchObject({ code: "unavailable", retryAfterSeconds: 10 });
  });

  test.each(["http://keys.example/set", "ftp://keys.example", "keys"])(
    "is not fetched from %s",
    (jwksUrl) => {
      expect(() => verifier({ jwksUrl })).toThrow(/https/);
    },
  );
});
