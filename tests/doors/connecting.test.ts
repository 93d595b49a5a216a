import { describe, expect, test } from "vitest";
import { Client, refused } from "./client.js";
import { serve } from "./serving.js";
import { until } from "./waiting.js";

describe("connecting", () => {
  test("is answered with a name, a secret, and how often to ping", async () => {
    const { url } = await serve();
    const client = await Client.open(url);
    expect(await client.connect()).toEqual({
      type: "connected",
      connection: expect.stringMatching(/^[\w-]{16}$/),
      session: expect.stringMatching(/^[\w-]{22}$/),
      resumed: false,
      pingSeconds: 15,
      frameBytes: 69_632,
    });
  });

  test("takes the sub-protocol fanfare.v1 also from among others, and says so", async () => {
    const { url } = await serve();
    expect((await Client.connect(url)).ws.protocol).toBe("fanfare.v1");
    expect((await Client.connect(url, { protocols: ["mqtt", "fanfare.v1"] })).ws.protocol).toBe("fanfare.v1");
  });

  test("needs no sub-protocol", async () => {
    const { url } = await serve();
    expect((await Client.connect(url, { protocols: [] })).ws.protocol).toBe("");
  });

  test("is refused to a client that speaks other sub-protocols only", async () => {
    const { url, log } = await serve();
    const { status, headers, problem } = await refused(url, { protocols: ["mqtt", "fanfare.v2"] });
    expect(status).toBe(400);
    expect(headers["content-type"]).toBe("application/problem+json");
    expect(problem).toMatchObject({ code: "invalid_request", remedy: expect.stringContaining("fanfare.v1") });
    expect(problem.detail).toContain("mqtt,fanfare.v2");
    expect(log.about("upgrade refused")).toHaveLength(1);
  });

  test("never compresses, even where the client offers to", async () => {
    const { url } = await serve();
    expect((await Client.connect(url, { perMessageDeflate: true })).ws.extensions).toBe("");
  });

  test("is refused to a page of another origin, with the setting to change", async () => {
    const { url, log } = await serve();
    const { status, problem } = await refused(url, { origin: "https://evil.example" });
    expect(status).toBe(403);
    expect(problem).toMatchObject({
      code: "origin_not_allowed",
      detail: expect.stringContaining("https://evil.example"),
      remedy: expect.stringContaining("allowedOrigins"),
    });
    expect(log.about("upgrade refused")[0]?.message).toContain("https://evil.example");
  });

  test("is possible for a page of the same origin, and of one that is allowed", async () => {
    const { url, port } = await serve({ allowedOrigins: ["https://app.example"] });
    await Client.connect(url, { origin: `http://localhost:${port}` });
    await Client.connect(url, { origin: "https://app.example" });
  });

  test("by another host name is refused where only this machine is answered", async () => {
    const { url } = await serve({ loopbackOnly: true });
    const { status, problem } = await refused(url, { headers: { host: "rebound.example" } });
    expect(status).toBe(421);
    expect(problem).toMatchObject({
      code: "host_not_allowed",
      detail: expect.stringContaining("rebound.example"),
    });
    await Client.connect(url);
  });

  test("is refused with 503 and Retry-After when there are as many connections as there may be", async () => {
    const { url } = await serve({ limits: { connections: 2 } });
    const [first] = await Promise.all([Client.connect(url), Client.open(url)]);
    const { status, headers, problem } = await refused(url);
    expect(status).toBe(503);
    expect(headers["retry-after"]).toBe("10");
    expect(problem).toMatchObject({ code: "too_many_connections", detail: expect.stringContaining("2") });
    await first.leave();
    await until(() => first.ws.readyState === first.ws.CLOSED, "the first has left");
    const third = await Client.open(url).catch(() => Client.open(url));
    await third.connect();
  });

  test("brings the channels that the server subscribes by itself, from the positions in connect", async () => {
    const { url, fanfare } = await serve({ rules: [{ channels: "broadcast", auto: true }] });
    const { epoch } = await fanfare.position("broadcast");
    await fanfare.publish("broadcast", "missed");
    const client = await Client.open(url);
    await client.connect({ since: [{ channel: "broadcast", epoch, offset: 0 }] });
    expect(await client.answers.next()).toEqual({
      type: "subscribed",
      channel: "broadcast",
      epoch,
      offset: 0,
      head: 1,
      recovered: true,
    });
    expect(await client.deliveries.next()).toMatchObject({ data: "missed", offset: 1 });
    expect(client.heard[0]?.type).toBe("connected");
  });
});
