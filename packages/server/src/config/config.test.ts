import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { loadConfig, type Sources } from "./config.js";
import { ConfigError } from "./errors.js";
import { asJson, asTable } from "./table.js";

const SECRET = "0123456789abcdef-secret";

/** A folder with these files, removed after the test. */
function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function load(files: Record<string, string>, sources: Partial<Sources> = {}) {
  return loadConfig({ folder: folderWith(files), environment: {}, flags: {}, ...sources });
}

async function problemsOf(files: Record<string, string>, sources: Partial<Sources> = {}) {
  const error = await load(files, sources).then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ConfigError)) throw new Error(`not refused: ${String(error)}`);
  return error.problems;
}

describe("what is in force", () => {
  test("is the default without anything else", async () => {
    const { config, file, origins } = await load({});
    expect(config).toMatchObject({ host: "127.0.0.1", port: 3030, path: "/push", apiKeys: [], rules: [] });
    expect(config.limits.connections).toBe(50_000);
    expect([file, origins.size]).toEqual([null, 0]);
  });

  test("takes what it keeps in memory from the memory that is there, where nobody says otherwise", async () => {
    const memory = { heapLimit: 304 * 2 ** 20, total: 512 * 2 ** 20 };
    const small = await load(
      { "fanfare.config.yaml": "engine: memory\nlimits: { stubs: 70000 }" },
      { memory },
    );
    expect(small.config.limits).toMatchObject({
      waitingBytes: 72 * 2 ** 20,
      stubs: 70_000,
      connections: 50_000,
    });
    expect(small.config.limits.historyBytes).toBeLessThan(40 * 2 ** 20);
    expect(asTable(small)).toMatch(/^limits\.historyBytes +\d+ +default, from the memory that is there$/m);
    const onDisk = await load({}, { memory });
    expect(onDisk.config.limits.historyBytes).toBe(256 * 2 ** 20);
    expect(onDisk.config.limits.windowBytes).toBeLessThan(20 * 2 ** 20);
  });

  // Each row: what each source says of the port, and what holds.
  test.each([
    { flag: "1", variable: "2", inFile: 3, holds: 1, from: "--port" },
    { flag: undefined, variable: "2", inFile: 3, holds: 2, from: "FANFARE_PORT" },
    { flag: undefined, variable: "", inFile: 3, holds: 3, from: "fanfare.config.json" },
    { flag: "1", variable: undefined, inFile: undefined, holds: 1, from: "--port" },
    { flag: undefined, variable: undefined, inFile: undefined, holds: 3030, from: undefined },
  ])("flag $flag, variable $variable, file $inFile: $holds", async (row) => {
    const { flag, variable, inFile, holds, from } = row;
    const { config, origins } = await load(
      { "fanfare.config.json": JSON.stringify({ port: inFile, host: "0.0.0.0" }) },
      { environment: { FANFARE_PORT: variable }, flags: { port: flag } },
    );
    expect([config.port, origins.get("port")?.name]).toEqual([holds, from]);
    // Options are taken one by one.
    expect([config.host, origins.get("host")?.name]).toEqual(["0.0.0.0", "fanfare.config.json"]);
  });

  test("has every option from the environment, by its key", async () => {
    const { config } = await load(
      { "fanfare.config.yaml": "limits: { stubs: 7, channels: 8 }" },
      {
        environment: {
          FANFARE_ALLOWED_ORIGINS: "https://a.example, https://b.example:8443",
          FANFARE_API_KEY: `${SECRET},${SECRET}2`,
          FANFARE_LIMITS_SUBSCRIPTIONS_PER_CONNECTION: "9",
          FANFARE_LIMITS_STUBS: "10",
          FANFARE_RESERVED_PATHS: "mendix",
          FANFARE_RULES: '[{"channels": "a:*", "history": 1}]',
          FANFARE_SHUTDOWN_SECONDS: "0.5",
          FANFARE_LOG_LEVEL: "warn",
          PATH: "/bin",
        },
      },
    );
    expect(config).toMatchObject({
      allowedOrigins: ["https://a.example", "https://b.example:8443"],
      apiKeys: [SECRET, `${SECRET}2`],
      limits: { subscriptionsPerConnection: 9, stubs: 10, channels: 8 },
      reservedPaths: "mendix",
      rules: [{ channels: "a:*", history: 1 }],
      shutdownSeconds: 0.5,
      logLevel: "warn",
    });
  });

  test.each([
    ["fanfare.config.json", '{"port": 4000}'],
    ["fanfare.config.yaml", "port: 4000"],
    ["fanfare.config.ts", "const port: number = 4000;\nexport default { port };"],
    ["fanfare.config.js", "export default async () => ({ port: 4000 });"],
  ])("is read from %s", async (name, text) => {
    const { config, file } = await load({ [name]: text });
    expect([config.port, file]).toEqual([4000, name]);
  });

  test("is read from the file that is asked for, and from nothing beside it", async () => {
    const files = {
      "mine.yml": "# nothing yet\n",
      "fanfare.config.json": '{"port": 1}',
      ".fanfarerc": "port=2",
      ".env": "FANFARE_PORT=3",
    };
    expect((await load(files, { file: "mine.yml" })).config.port).toBe(3030);
    expect((await load(files, { environment: { FANFARE_CONFIG: "mine.yml" } })).config.port).toBe(3030);
  });

  test("is shown with where it came from, and without secrets", async () => {
    const inForce = await load(
      { "fanfare.config.yaml": `apiKeys: [${SECRET}]\nallowedOrigins: ["https://a.example"]` },
      { flags: { port: "1" }, environment: { FANFARE_HOST: "::" } },
    );
    const table = asTable(inForce);
    expect(table).toMatch(/^port +1 +--port$/m);
    expect(table).toMatch(/^host +:: +FANFARE_HOST$/m);
    expect(table).toMatch(/^allowedOrigins +https:\/\/a\.example +fanfare\.config\.yaml$/m);
    expect(table).toMatch(/^apiKeys +\*{8} +fanfare\.config\.yaml$/m);
    expect(table).toMatch(/^limits\.stubs +100000 +default$/m);
    const json = JSON.parse(asJson(inForce)) as Record<string, unknown>;
    expect(json.port).toEqual({ value: 1, from: "flag", name: "--port" });
    expect(json.apiKeys).toEqual({ value: ["********"], from: "file", name: "fanfare.config.yaml" });
    expect(json["limits.stubs"]).toEqual({ value: 100_000, from: "default" });
    expect(table + asJson(inForce)).not.toContain(SECRET);
  });
});

describe("what is wrong", () => {
  test("is listed at once, each with its value, where it came from, and what is right", async () => {
    const problems = await problemsOf(
      { "fanfare.config.json": '{"limits": {"conections": 1, "channels": 0}, "logLevel": "loud"}' },
      { flags: { path: "push" }, environment: { FANFARE_PORT: "abc", FANFARE_PROT: "1" } },
    );
    expect(problems).toEqual([
      "the variable FANFARE_PROT is not known. Did you mean FANFARE_PORT?",
      'port is "abc" (FANFARE_PORT). Give a whole number from 0 to 65535.',
      expect.stringMatching(/^path \(--path\) is "push"\. Give a path such as \/push/),
      "limits.channels is 0 (fanfare.config.json). Give a whole number from 1 up.",
      "limits.conections is not known (fanfare.config.json). Did you mean limits.connections?",
      expect.stringMatching(/^logLevel is "loud" \(fanfare\.config\.json\)\. Give one of trace, debug,/),
    ]);
  });

  test.each([
    ["host: http://a", 'host is "http://a" (FILE). Give an IP address or host name'],
    ["port:", "port is empty (FILE). Give a whole number"],
    ["port: 70000", "port is 70000 (FILE). Give a whole number from 0 to 65535."],
    ["path: /xas/push", 'begins with "xas", which the host application keeps for itself'],
    ["{ path: /mine, reservedPaths: [Mine] }", 'begins with "mine"'],
    ["reservedPaths: 5", "reservedPaths is 5 (FILE). Give a list of names"],
    [
      "allowedOrigins: ['https://a.example/']",
      'allowedOrigins[0] is "https://a.example/" (FILE). Give scheme',
    ],
    ["allowedOrigins: https://a.example", "Give a list, each item scheme"],
    ["limits: 5", "limits is a number (FILE). Give an object."],
    ["conections: 1", "conections is not known (FILE). Did you mean limits.connections?"],
    ["apiKey: []", "apiKey is not known (FILE). Did you mean apiKeys?"],
    ["extends: github:a/b", "extends is not known (FILE). Remove it."],
    ["shutdownSeconds: -1", "shutdownSeconds is -1 (FILE). Give a number from 0 to 600."],
    ["rules: [{ channels: a, histroy: 1 }]", "rules[0].histroy is not known (FILE). Did you mean history?"],
    ["rules: [{ history: 1 }]", "rules[0].channels is missing (FILE). Give a pattern"],
    ["rules: [{ channels: a }, { channels: a }]", "rules (FILE): two rules are for a."],
    ["rules: [{ channels: 'a:*', auto: true }]", "Use auto only with the name of one channel."],
    ["rules: [{ channels: 'a b' }]", 'rules (FILE): "a b" is no channel pattern'],
    [
      "anonymous: [{ channels: a, actions: subscribe }]",
      "anonymous[0].actions is a string (FILE). Give a list",
    ],
    ["access: lsiten", 'access is "lsiten" (FILE). Give granted or open.'],
    ["rules: [{ channels: a, presence: { maxLised: 1 } }]", "rules[0].presence.maxLised is not known (FILE)"],
    ["trustedProxies: [10.0.0.0/99]", 'trustedProxies (FILE): "10.0.0.0/99" is no address. Give an address'],
    ["tokens: { jwksUrl: 'http://a.example/' }", 'tokens.jwksUrl (FILE) is "http://a.example/". Give'],
    [
      "forwardedSession: { url: 'ftp://a', cookies: [a] }",
      'forwardedSession.url (FILE): "ftp://a" is no address.',
    ],
    [
      "forwardedSession: { cookies: [a] }",
      "forwardedSession.cookies (FILE) is set without forwardedSession.url.",
    ],
    ["- 1", "FILE holds no object"],
    ["a: [", "FILE cannot be read: it is no YAML"],
  ])("%s", async (text, wanted) => {
    const problems = await problemsOf({ "fanfare.config.yaml": text });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(wanted.replace("FILE", "fanfare.config.yaml"));
  });

  test.each([
    [
      "fanfare.config.json",
      '{\n"port": 1,,\n}',
      "fanfare.config.json cannot be read: it is no JSON at line 2.",
    ],
    ["fanfare.config.json", "null", "fanfare.config.json holds no object."],
    ["fanfare.config.ts", "export default {\n port: }", "fanfare.config.ts cannot be read at line 2"],
    [
      "fanfare.config.js",
      'throw new Error("no database")',
      'fanfare.config.js cannot be read: "no database"',
    ],
    [
      "fanfare.config.mjs",
      'export default { limits: { get channels() { throw new Error("no database"); } } };',
      'fanfare.config.mjs cannot be read: "no database"',
    ],
  ])("in a file that cannot be read: %s", async (name, text, wanted) => {
    expect((await problemsOf({ [name]: text }))[0]).toContain(wanted);
  });

  test("is told once, also where a rule as a whole would tell it again", async () => {
    const rules = '{"rules":[{"channels":"a","history":-1}]}';
    expect(await problemsOf({ "fanfare.config.json": rules })).toEqual([
      expect.stringContaining("rules[0].history is -1"),
    ]);
  });

  test("is a file that is not there, of no known form, or one of two", async () => {
    expect(await problemsOf({}, { file: "nope.json" })).toEqual([
      expect.stringContaining('"nope.json" does not exist'),
    ]);
    expect(await problemsOf({}, { file: "." })).toEqual([expect.stringContaining('"." is a folder')]);
    expect(await problemsOf({ "a.toml": "" }, { file: "a.toml" })).toEqual([
      expect.stringContaining("ends with .json, .yaml"),
    ]);
    expect(await problemsOf({ "fanfare.config.json": "{}", "fanfare.config.ts": "" })).toEqual([
      expect.stringContaining("there are fanfare.config.json and fanfare.config.ts"),
    ]);
  });

  test("in the door for Socket.IO is named with what it clashes with", async () => {
    const socketio = (options: object) =>
      problemsOf({ "fanfare.config.json": JSON.stringify({ socketio: options }) });
    expect(await socketio({ services: ["orders"] })).toEqual([
      "socketio.services has 1 (fanfare.config.json), and the door is closed. Set socketio.path to /socket.io.",
    ]);
    expect(await socketio({ path: "/push" })).toEqual([
      "socketio: its path is /push, as that of everything else. Choose another (fanfare.config.json, default).",
    ]);
    expect(await socketio({ path: "/socket.io", services: [{ name: "orders", jion: "all" }] })).toEqual([
      "socketio.services[0].jion is not known (fanfare.config.json). Did you mean join?",
    ]);
    expect(await socketio({ path: "/socket.io", services: ["a:b"] })).toEqual([
      expect.stringContaining('"a:b" is no name of a service'),
    ]);
    const environment = { FANFARE_SOCKETIO_PATH: "/socket.io", FANFARE_SOCKETIO_SERVICES: "orders, a:b" };
    expect(await problemsOf({}, { environment })).toEqual([
      expect.stringContaining('"a:b" is no name of a service'),
    ]);
  });

  test("in the environment is named by its variable, also where Kubernetes made it", async () => {
    expect(await problemsOf({}, { environment: { FANFARE_RULES: "[{" } })).toEqual([
      "rules is no JSON (FANFARE_RULES). Give a list of rules as JSON.",
    ]);
    const environment = { FANFARE_PORT: "tcp://10.0.0.1:80", FANFARE_SERVICE_HOST: "10.0.0.1" };
    for (const problem of await problemsOf({}, { environment })) {
      expect(problem).toContain("enableServiceLinks: false");
    }
  });

  test("never shows a secret", async () => {
    const wrong = [
      await problemsOf({}, { environment: { FANFARE_API_KEY: "short-secret" } }),
      await problemsOf({}, { environment: { FANFARE_APIKEY: SECRET } }),
      await problemsOf({ "fanfare.config.yaml": "apiKeys: short-secret" }),
      await problemsOf({ "fanfare.config.yaml": `apiKeys: ["${SECRET}\nport: [` }),
      await problemsOf({ "fanfare.config.json": `{"apiKeys": ["${SECRET}" x` }),
      await problemsOf({ "fanfare.config.json": SECRET }),
    ];
    expect(wrong.map(([problem]) => problem)).toEqual([
      expect.stringMatching(
        /^apiKeys\[0\] is a text of 12 characters \(FANFARE_API_KEY\)\. Give at least 16/,
      ),
      "the variable FANFARE_APIKEY is not known. Did you mean FANFARE_API_KEY?",
      expect.stringMatching(/^apiKeys is a string .* Give a list/),
      expect.stringContaining("it is no YAML"),
      expect.stringContaining("it is no JSON"),
      expect.stringContaining("it is no JSON"),
    ]);
    expect(wrong.flat().join()).not.toContain("secret");
  });
});
