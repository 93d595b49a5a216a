import { expect, test } from "vitest";
import { serve } from "../library/serve.js";
import { Command } from "./command.js";

test("fanfare publish takes data from arguments and standard input, with event and key", async () => {
  const { fanfare, base } = await serve();
  const publish = (args: string[], input?: string) =>
    new Command(["publish", ...args, "--url", base], {}, input === undefined ? {} : { input }).end();

  const first = await publish(["order:42", '{"paid": true}', "--event", "paid", "--id", "once"]);
  const again = await publish(["order:42", '{"paid": true}', "--event", "paid", "--id", "once"]);
  const piped = await publish(["order:42", "-"], ' "from a pipe"\n');
  for (const { code, stderr } of [first, again, piped]) expect([code, stderr]).toEqual([0, ""]);
  expect(JSON.parse(first.stdout)).toMatchObject({ channel: "order:42", offset: 1 });
  expect(again.stdout).toBe(first.stdout);
  expect((await fanfare.history("order:42")).messages).toMatchObject([
    { event: "paid", data: { paid: true }, id: "once" },
    { event: "message", data: "from a pipe" },
  ]);
});

test("fanfare publish says what is wrong: 2 for the call, 1 for the rest", async () => {
  const { base } = await serve();
  const nowhere = "http://127.0.0.1:2/push";
  const calls = [
    [["a", "{paid}", "--url", base], 2, '"{paid}" is no JSON'],
    [["a b", "1", "--url", base], 2, '"a b" is no channel name'],
    [["a b", "1", "--url", base, "--api-key", "k"], 2, '"a b" is no channel name'],
    [["a", "1", "--url", nowhere], 1, `cannot reach ${nowhere}: ECONNREFUSED`],
    [["a", "1", "--url", "notaurl"], 2, '--url is "notaurl"'],
    [
      ["a", "1", "--url", nowhere, "--api-key", "k"],
      1,
      `cannot reach ${nowhere}/channels/a/messages: ECONNREFUSED`,
    ],
    [["a", "1", "--url", base.replace("/push", ""), "--api-key", "k"], 1, "with its path"],
    [["a", "1", "--url", "ftp://a", "--api-key", "k"], 2, '--url is "ftp://a"'],
  ] as const;
  const ends = await Promise.all(calls.map(([args]) => new Command(["publish", ...args]).end()));
  for (const [index, { code, stdout, stderr }] of ends.entries()) {
    expect(stderr).toContain(calls[index]?.[2]);
    expect(stderr).toMatch(/^fanfare publish: .+\n.+\n$/);
    expect([code, stdout]).toEqual([calls[index]?.[1], ""]);
  }
});
