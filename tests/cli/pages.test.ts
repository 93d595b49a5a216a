import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { post } from "../library/serve.js";
import { within } from "../library/within.js";
import { Command, dev } from "./command.js";

test("fanfare dev --serve serves the files of a folder, and nothing outside of it", async () => {
  const root = mkdtempSync(join(tmpdir(), "fanfare-pages-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const folder of ["pages", "pages/sub", "pages-secret"]) mkdirSync(join(root, folder));
  writeFileSync(join(root, "pages/index.html"), "<p>mine</p>");
  writeFileSync(join(root, "pages/sub/app.js"), "mine()");
  writeFileSync(join(root, "secret.txt"), "secret");
  writeFileSync(join(root, "pages-secret/secret.txt"), "secret");
  for (const folder of [".well-known", "sub/.git", "sub/.well-known", "fanfare-data"])
    mkdirSync(join(root, "pages", folder));
  for (const file of [
    ".env",
    "sub/.git/config",
    ".well-known/.env",
    "sub/.well-known/hello",
    "fanfare-data/spaces.json",
  ]) {
    writeFileSync(join(root, "pages", file), "secret");
  }
  writeFileSync(join(root, "pages/fanfare.config.json"), "secret");
  writeFileSync(join(root, "pages/.well-known/hello"), "hello");
  writeFileSync(join(root, "pages/sub/index.html"), "sub");
  const links = {
    "linked.js": "sub/app.js",
    "link.txt": "../secret.txt",
    "link.html": "../secret.txt",
    folder: "..",
    dotted: ".env",
    round: "round",
    broken: "none",
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, "pages", name));
  execFileSync("mkfifo", [join(root, "pages/pipe")]);
  const { port } = await dev("--serve", join(root, "pages"));

  expect(await get(port, "/")).toEqual([200, "<p>mine</p>"]);
  expect(await get(port, "/sub/app.js?v=1")).toEqual([200, "mine()"]);
  const outside = [
    "/../secret.txt",
    "/sub/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/%252e%252e/secret.txt",
    "/..\\secret.txt",
    "/..%5csecret.txt",
    "/../pages-secret/secret.txt",
    `/${join(root, "secret.txt")}`,
    "/../secret.txt%00.html",
    "/%zz",
    "/none.html",
  ];
  for (const path of outside) {
    const [status, body] = await get(port, path);
    expect([path, status]).toEqual([path, 404]);
    expect(body).not.toBe("secret");
  }

  const inside = ["/.well-known/hello", "/linked.js", "/sub/"];
  for (const path of inside) expect([path, (await get(port, path))[0]]).toEqual([path, 200]);
  const hidden = [
    "/.env",
    "/%2eenv",
    "/%2Eenv",
    "/sub/.git/config",
    "/sub/%2egit/config",
    "/sub//.git/config",
    "/.well-known/.env",
    "/sub/.well-known/hello",
    "/fanfare-data/spaces.json",
    "/fanfare.config.json",
    "/link.txt",
    "/link",
    "/folder/secret.txt",
    "/dotted",
    "/round",
    "/broken",
    "/pipe",
  ];
  for (const path of hidden) {
    const [status, body] = await get(port, path);
    expect([path, status, body.includes("secret")]).toEqual([path, 404, false]);
  }
  // Ranges that cannot be end nothing.
  for (const range of ["bytes=5-2", "bytes=0-99999999999999999999", "bytes=-5", "x"]) {
    expect([range, ...(await get(port, "/", { Range: range }))]).toEqual([range, 200, "<p>mine</p>"]);
  }
  await runsAsAScript(`http://localhost:${port}/push`);
});

test("fanfare dev --serve refuses what is no folder", async () => {
  const { code, stderr } = await new Command(["dev", "--serve", "no/such/folder"]).end();
  expect(code).toBe(2);
  expect(stderr).toMatch(/^fanfare dev: --serve is "no\/such\/folder", which is no folder\n/);
});

/** What a page with a script tag does with `{path}/client.js`. */
async function runsAsAScript(base: string): Promise<void> {
  const answer = await fetch(`${base}/client.js`);
  expect(answer.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
  const heard: unknown[] = [];
  const page = createContext({
    WebSocket,
    URL,
    TextEncoder,
    queueMicrotask,
    performance,
    crypto,
    setTimeout,
    clearTimeout,
    setInterval,
    clearInterval,
    base,
  });
  runInContext(await answer.text(), page);
  await within(
    new Promise<void>((resolve) => {
      Object.assign(page, {
        heard: (data: unknown) => {
          heard.push(data);
          resolve();
        },
        subscribed: () => post(`${base}/channels/a/messages`, { data: "from the page's client" }),
      });
      runInContext(
        `var client = Fanfare.createClient({ url: base });
        client.subscribe("a", ({ data }) => heard(data), { snapshot: async () => { void subscribed(); } });`,
        page,
      );
    }),
    "a message",
  ).finally(() => runInContext("client.close()", page));
  expect(heard).toEqual(["from the page's client"]);
}

/** Asks for exactly this path; `fetch` would tidy it up. */
function get(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<[number | undefined, string]> {
  return within(
    new Promise((resolve, reject) => {
      const asking = request({ host: "127.0.0.1", port, path, headers }, async (answer) => {
        let body = "";
        for await (const part of answer) body += String(part);
        resolve([answer.statusCode, body]);
      });
      asking.once("error", reject);
      asking.end();
    }),
    `an answer for ${path}`,
  );
}
