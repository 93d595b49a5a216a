import { describe, expect, test } from "vitest";
import { DEFAULT_LIMITS } from "../../packages/server/src/hub/terms/limits.js";
import { Client } from "../doors/client.js";
import { post, serve } from "../library/serve.js";

async function serving(options: Parameters<typeof serve>[0] = {}) {
  const served = await serve(options);
  const scrape = async () => {
    const answer = await fetch(`${served.base}/metrics`);
    expect(answer.status).toBe(200);
    return figuresIn(await answer.text());
  };
  return { ...served, scrape };
}

/** The figures of the text format by name and labels, and the help of each name. */
function figuresIn(text: string) {
  const figures = new Map<string, number>();
  const help = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, named, sentence] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    if (named && sentence) help.set(named, sentence);
    const [, name, value] = /^([a-z0-9_]+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? [];
    if (name) figures.set(name, Number(value));
  }
  return { figures, help, of: (name: string) => figures.get(`fanfare_${name}`) };
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

describe("the metrics", () => {
  test("are in the text format of Prometheus, and may not be kept by caches", async () => {
    const { base } = await serving();
    const answer = await fetch(`${base}/metrics`);
    expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("name every limit, and beside it what is used of it", async () => {
    const { scrape } = await serving({ limits: { connections: 7 } });
    const { of } = await scrape();
    expect(of("connections_limit")).toBe(7);
    for (const [name, limit] of Object.entries(DEFAULT_LIMITS)) {
      expect(of(`${snake(name)}_limit`), name).toBe(name === "connections" ? 7 : limit);
      if (name !== "sessionSeconds") expect(of(snake(name)), name).toBeGreaterThanOrEqual(0);
    }
  });

  test("are all explained in a sentence, and begin with fanfare_", async () => {
    const { figures, help } = await (await serving()).scrape();
    for (const name of figures.keys()) expect(name).toMatch(/^fanfare_/);
    for (const [name, sentence] of help) expect(sentence, name).toMatch(/^[A-Z0-9].{10,}[.)]$/);
    expect(help.size).toBeGreaterThan(40);
  });

  test("count what is published and delivered", async () => {
    const { scrape, port, messages, base } = await serving();
    const clients = [];
    for (let count = 0; count < 3; count++) {
      const client = await Client.connect(`ws://127.0.0.1:${port}/push`);
      await client.subscribe("a");
      clients.push(client);
    }
    await post(messages, { data: "é" }, { "Idempotency-Key": "k" });
    await post(messages, { data: "é" }, { "Idempotency-Key": "k" });
    await post(`${base}/messages`, {
      messages: [
        { channel: "a", data: "12345" },
        { channel: "b", data: 1 },
      ],
    });
    for (const client of clients) await client.offsets(2);
    const { of } = await scrape();
    expect(of("connections")).toBe(3);
    expect(of("connections_opened_total")).toBe(3);
    expect(of("subscriptions")).toBe(3);
    expect(of("subscriptions_per_connection")).toBe(1);
    expect(of("channels")).toBe(2);
    expect(of("history_messages")).toBe(3);
    expect(of("idempotency_keys")).toBe(1);
    expect(of("sessions")).toBe(3);
    expect(of("published_total")).toBe(3);
    expect(of("published_bytes_total")).toBe(4 + 7 + 1);
    expect(of("message_bytes")).toBe(7);
    expect(of("deliveries_total")).toBe(6);
    expect(of("writes_total")).toBeGreaterThanOrEqual(3);
    expect(of("written_bytes_total")).toBeGreaterThan(6 * 50);
    expect(of('flush_seconds_bucket{le="+Inf"}')).toBe(of("flush_seconds_count"));
    expect(of("flush_seconds_count")).toBeGreaterThan(0);
    expect(of("flush_seconds_sum")).toBeGreaterThan(0);
    for (const client of clients) await client.leave();
    expect((await scrape()).of("connections_opened_total")).toBe(3);
  });

  test("count holes by their reason, in answers and on the way", async () => {
    const { scrape, fanfare, port } = await serving({ rules: [{ channels: "a", history: 1 }] });
    const { epoch } = await fanfare.position("a");
    for (const data of [1, 2, 3]) await fanfare.publish("a", data);
    const client = await Client.connect(`ws://127.0.0.1:${port}/push`);
    await client.subscribe("a", { epoch, offset: 0 });
    await client.offsets(1);
    const { of } = await scrape();
    expect(of('gaps_total{reason="evicted"}')).toBe(1);
    expect(of('gaps_total{reason="too_slow"}')).toBe(0);
    expect(of("deliveries_total")).toBe(1);
  });

  test("tell of the process", async () => {
    const { of } = await (await serving()).scrape();
    for (const name of ["cpu_user_seconds_total", "resident_bytes", "heap_bytes"]) {
      expect(of(`process_${name}`)).toBeGreaterThan(0);
    }
    expect(of("eventloop_delay_p50_seconds")).toBeGreaterThanOrEqual(0);
    expect(of("eventloop_delay_p99_seconds")).toBeGreaterThanOrEqual(0);
  });
});
