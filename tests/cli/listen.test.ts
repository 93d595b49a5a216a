import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "../library/serve.js";
import { Command } from "./command.js";

test("fanfare listen prints messages, and beside them what is missing, until Ctrl-C", async () => {
  const { fanfare, base } = await serve({ rules: [{ channels: "a", history: 2 }] });
  const { epoch } = await fanfare.position("a");
  for (let count = 1; count <= 4; count++) await fanfare.publish("a", { count });

  const url = ["--url", base];
  const since = ["--since", `${epoch}:1`];
  const plain = new Command(["listen", "a", ...since, ...url]);
  const json = new Command(["listen", "a", "--json", ...since, ...url]);
  await Promise.all([plain, json].map((command) => command.says(/"count":4/)));
  await plain.says(/^# messages 2 to 2 are missing: \w+$/m, "stderr");
  await fanfare.publish("a", "live", { event: "paid" });
  await plain.says(/^5\t\d{4}-\S+Z\tpaid\t"live"$/m);
  await json.says(/"live"/);

  plain.kill("SIGINT");
  json.kill("SIGTERM");
  const [lines, objects] = await Promise.all([plain.end(), json.end()]);
  expect([lines.code, objects.code]).toEqual([0, 0]);
  expect(lines.stderr).toMatch(/# connected[\s\S]*# stopped\n$/);
  expect(lines.stdout.match(/^\d+/gm)).toEqual(["3", "4", "5"]);
  const messages = objects.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(messages).toMatchObject([
    { channel: "a", offset: 3, data: { count: 3 } },
    { offset: 4, event: "message" },
    { offset: 5, event: "paid", data: "live" },
  ]);
});

test("fanfare listen goes on after a refusal that passes, and says so", async () => {
  const { fanfare, base } = await serve({ limits: { channels: 1 } });
  await fanfare.publish("other", 1);
  const command = new Command(["listen", "a", "--url", base]);
  await command.says(/^# .*It is asked for again\.$/m, "stderr");
  await fanfare.removeChannel("other");
  await command.says(/^# subscribed|asked for again/m, "stderr");
  command.kill("SIGINT");
  expect((await command.end()).code).toBe(0);
});

test("fanfare listen ends by itself when its reader has enough", async () => {
  const { fanfare, base } = await serve();
  const command = new Command(["listen", "a", "--url", base]);
  await command.says(/# connected/, "stderr");
  // It is connected a moment before it is subscribed.
  const publishing = setInterval(() => void fanfare.publish("a", 1), 20);
  onTestFinished(() => clearInterval(publishing));
  await command.says(/^\d+\t/m);
  command.stopReading();
  const { code, stderr } = await command.end();
  expect(stderr).not.toContain("EPIPE");
  expect(code).toBe(0);
});

test("fanfare listen says what it cannot follow, and ends with 2", async () => {
  const { base } = await serve();
  const calls = [
    [["a b"], '"a b" is no channel name'],
    [["a", "--since", "yesterday"], '"yesterday" is no position'],
    [["a", "b"], '"b" is not understood'],
  ] as const;
  const ends = await Promise.all(
    calls.map(([args]) => new Command(["listen", ...args, "--url", base]).end()),
  );
  for (const [index, { code, stdout, stderr }] of ends.entries()) {
    expect(stderr).toContain(calls[index]?.[1]);
    expect([code, stdout]).toEqual([2, ""]);
  }
});

test("fanfare listen says who it is, with a token or the key of the environment", async () => {
  const KEY = "0123456789abcdef-key";
  const { fanfare, base } = await serve({ apiKeys: [KEY], anonymous: [] });
  const { epoch } = await fanfare.position("a");
  await fanfare.publish("a", "secret");
  const listen = (args: readonly string[], env: Record<string, string> = {}, input = "") =>
    new Command(["listen", "a", "--since", `${epoch}:0`, "--url", base, ...args], env, { input });

  await Promise.all([
    listen(["--token", KEY]).says(/secret/),
    listen(["--token", "-"], {}, `${KEY}\n`).says(/secret/),
    listen([], { FANFARE_API_KEY: KEY }).says(/secret/),
  ]);
  const { code, stderr } = await listen([]).end();
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/Anonymous clients may not subscribe to a [\s\S]*Use an API key[\s\S]*anonymous/),
  ]);
});

test.each(["listen", "publish"])(
  "fanfare %s names the address that it cannot reach, and why",
  async (name) => {
    const { base } = await serve();
    const gone = createServer();
    await new Promise<void>((done) => gone.listen(0, "127.0.0.1", done));
    const { port } = gone.address() as AddressInfo;
    await new Promise((done) => gone.close(done));
    const nobody = `http://127.0.0.1:${port}/push`;
    const told = async (url: string) => {
      const command = new Command([name, "a", ...(name === "publish" ? ["1"] : []), "--url", url]);
      const [, text] = await command.says(/(cannot reach .*)/, "stderr");
      return text;
    };
    const [refused, elsewhere] = await Promise.all([told(nobody), told(base.replace("/push", "/elsewhere"))]);
    expect(refused).toMatch(`cannot reach ${nobody}: ECONNREFUSED.`);
    expect(elsewhere).toMatch(/^cannot reach .*\/elsewhere: Unexpected server response: 404\./);
  },
);
