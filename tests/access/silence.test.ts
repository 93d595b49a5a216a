/** Nobody is let in by silence: what clients may do that do not log in, by what the options say, and what they are told. */
import { createServer } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { createFanfare, type FanfareOptions } from "../../packages/server/src/index.js";
import { Command, dataDir } from "../cli/command.js";
import { Client } from "../doors/client.js";
import { listening, RecordingLog } from "../doors/serving.js";

const NEWS = [{ channels: "news:**", actions: ["subscribe", "history"] }] as const;

async function serving(options?: FanfareOptions) {
  const log = new RecordingLog();
  const fanfare = options ? createFanfare({ logger: log, ...options }) : createFanfare();
  onTestFinished(() => fanfare.close({ withinSeconds: 0 }));
  const server = createServer();
  fanfare.attach(server);
  const port = await listening(server);
  return { fanfare, log, url: `ws://localhost:${port}/push`, http: `http://localhost:${port}/push` };
}

/** The codes and remedies of all that an anonymous client tries on a channel. */
async function tried({ url, http }: { url: string; http: string }, channel: string) {
  const client = await Client.connect(url);
  const subscribed = await client.ask({ type: "subscribe", channel });
  const messages = `${http}/channels/${channel}/messages`;
  const [read, published] = await Promise.all([
    fetch(messages),
    fetch(messages, { method: "POST", body: '{"data": 1}', headers: { "Content-Type": "application/json" } }),
  ]);
  return {
    subscribe: subscribed.type === "error" ? subscribed.code : subscribed.type,
    history: read.status,
    publish: published.status,
    subscribed,
    remedy: ((await published.json()) as { remedy?: string }).remedy,
  };
}

describe("a client that does not log in", () => {
  test("may do nothing where createFanfare() is given nothing, and the error names both remedies", async () => {
    const served = await serving();
    const answer = await tried(served, "news:today");
    expect(answer).toMatchObject({ subscribe: "forbidden", history: 403, publish: 403 });
    expect(answer.subscribed).toMatchObject({
      message: "Anonymous clients may not subscribe to news:today (no grants).",
      remedy: `Set the option anonymous: [{"channels":"news:today","actions":["subscribe"]}] on the server to allow this, or access: "open" to let all clients do everything.`,
    });
  });

  test.each<[string, FanfareOptions]>([
    ["an API key", { apiKeys: ["0123456789abcdef"] }],
    ["tokens", { tokens: { secrets: ["the-secret-of-a-test-0123456789abcdef"] } }],
    ["authorize", { authorize: () => null }],
  ])("may do nothing where there is only %s, and is told to log in, or of anonymous", async (_, options) => {
    const answer = await tried(await serving(options), "news:today");
    expect(answer).toMatchObject({ subscribe: "forbidden", history: 401, publish: 401 });
    expect(answer.remedy).toMatch(
      /^Use an API key or the token of a user .*\. To allow this .* option anonymous\.$/,
    );
  });

  test("may do what anonymous says, and nothing else", async () => {
    const served = await serving({ anonymous: NEWS });
    expect(await tried(served, "news:today")).toMatchObject({
      subscribe: "subscribed",
      history: 200,
      publish: 403,
    });
    expect(await tried(served, "other")).toMatchObject({
      subscribe: "forbidden",
      history: 403,
      publish: 403,
    });
  });

  test('may do everything where access is "open", until the options say otherwise', async () => {
    const served = await serving({ access: "open" });
    const all = { subscribe: "subscribed", history: 200, publish: 201 };
    expect(await tried(served, "news:today")).toMatchObject(all);
    served.fanfare.reload({});
    expect(await tried(served, "news:today")).toMatchObject({ subscribe: "forbidden", publish: 403 });
  });
});

test("access: open beside grants of anonymous clients is refused, since only one of them can hold", () => {
  expect(() => createFanfare({ access: "open", anonymous: NEWS })).toThrow(
    'access is "open", and anonymous has grants. Remove access to allow these grants only, or remove anonymous.',
  );
});

describe("the log warns", () => {
  const warnings = ({ log }: { log: RecordingLog }) =>
    log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);

  test("where no client may do anything, and where every client may do everything", async () => {
    expect(warnings(await serving({}))).toEqual([
      expect.stringMatching(/^access: no client may do anything/),
    ]);
    expect(warnings(await serving({ access: "open" }))).toEqual([
      'access is "open": every client that reaches this server may do everything',
    ]);
  });

  test("of neither where clients log in, where anonymous has grants, or on a server for this machine", async () => {
    expect(warnings(await serving({ apiKeys: ["0123456789abcdef"] }))).toEqual([]);
    expect(warnings(await serving({ anonymous: NEWS }))).toEqual([]);
    expect(warnings(await serving({ access: "open", loopbackOnly: true }))).toEqual([]);
  });
});

describe("fanfare start", () => {
  const started = async (more: Record<string, string>) => {
    const command = new Command(["start", "--port", "0"], { ...dataDir(), ...more });
    const [, http = ""] = await command.says(/Health {5}(\S+)\/health/);
    return { command, http, url: http.replace("http", "ws") };
  };

  test("lets no client in without a log-in, and by anonymous those that it names", async () => {
    const FANFARE_API_KEY = "0123456789abcdef";
    const [silent, news] = await Promise.all([
      started({ FANFARE_API_KEY }),
      started({ FANFARE_API_KEY, FANFARE_ANONYMOUS: JSON.stringify(NEWS) }),
    ]);
    expect(await tried(silent, "news:today")).toMatchObject({ subscribe: "forbidden", history: 401 });
    expect(await tried(news, "news:today")).toMatchObject({ subscribe: "subscribed", publish: 401 });
  });

  test("needs no key where access is open, and says that it is", async () => {
    const { command, ...served } = await started({ FANFARE_ACCESS: "open" });
    await command.says(/access is \\"open\\": every client/, "stderr");
    expect(await tried(served, "a")).toMatchObject({ subscribe: "subscribed", publish: 201 });
  });

  test("refuses access: open beside anonymous, and says where each comes from", async () => {
    const env = { ...dataDir(), FANFARE_ACCESS: "open", FANFARE_ANONYMOUS: JSON.stringify(NEWS) };
    const { code, stderr } = await new Command(["start", "--port", "0"], env).end();
    expect(code).toBe(2);
    expect(stderr).toContain('access is "open", and anonymous has grants');
    expect(stderr).toContain("FANFARE_ACCESS, FANFARE_ANONYMOUS");
  });
});
