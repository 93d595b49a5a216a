import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { aptGet, findChromium } from "../scripts/chromium.mjs";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fanfare-chromium-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, script = "", mode = 0o755): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, mode);
  return path;
}

describe("a Chromium is found", () => {
  const find = (...folders: string[]) =>
    findChromium({ PATH: folders.map((each) => join(folder, each)).join(":") });

  test.each(["chromium", "chromium-browser", "google-chrome"])("as %s along PATH", (name) => {
    const path = program(`b/${name}`);
    expect(find("a", "b")).toBe(path);
  });

  test("as chromium rather than under another name", () => {
    program("a/google-chrome");
    const path = program("b/chromium");
    expect(find("a", "b")).toBe(path);
  });

  test("not where a file cannot be run, or is a folder", () => {
    program("a/chromium", "", 0o644);
    mkdirSync(join(folder, "b", "chromium"), { recursive: true });
    expect(find("a", "b")).toBeNull();
  });

  test("where CHROMIUM_PATH says, and nowhere else", () => {
    program("a/chromium");
    const path = program("mine");
    const PATH = join(folder, "a");
    expect(findChromium({ PATH, CHROMIUM_PATH: path })).toBe(path);
    expect(findChromium({ PATH, CHROMIUM_PATH: join(folder, "nothing") })).toBeNull();
  });

  test("not without PATH", () => {
    expect(findChromium({})).toBeNull();
  });
});

test("apt-get asks nothing, and neither does the sudo that others than root need", () => {
  expect(aptGet(["update"], 0)).toEqual(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "update"]);
  const withSudo = ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "update"];
  expect(aptGet(["update"], 1000)).toEqual(withSudo);
  expect(aptGet(["update"], null)).toEqual(withSudo);
});

describe("the step", () => {
  /** Takes it on a machine that has nothing but what is in the folder. */
  async function takeStep(environment: Record<string, string> = {}) {
    for (const name of ["env", "cp"]) symlinkSync(`/usr/bin/${name}`, join(folder, name));
    program("sudo", `shift; exec "$@"`);
    const steps = new URL("../scripts/", import.meta.url).href;
    const script = `import { chromium } from "${steps}chromium.mjs"; import { takeSteps } from "${steps}steps.mjs";
      await takeSteps([chromium]); console.log("again"); await takeSteps([chromium]);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      env: { PATH: folder, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: child.exitCode, out, errors };
  }

  test("installs one where there is none, says so, and does nothing the next time", async () => {
    program("apt-get", `echo "apt-get $*"; if [ "$1" = install ]; then cp "$0" "${folder}/chromium"; fi`);
    const { code, out, errors } = await takeStep();
    expect(errors).toBe("");
    expect(code).toBe(0);
    expect(out.replace(/\d+\.\d/, "N")).toBe(
      "Chromium: there is no browser yet for the browser tests (apt-get installs it once, in a minute or so)\n" +
        "apt-get update\n" +
        "apt-get install -y --no-install-recommends chromium\n" +
        "Chromium: done after N s\n" +
        "again\n",
    );
  });

  test("says what to do when apt-get fails", async () => {
    program("apt-get", "exit 100");
    const { code, errors } = await takeStep();
    expect(code).toBe(100);
    expect(errors).toContain("with exit code 100\nInstall Chromium or Chrome in the way of your system");
  });

  test("says what to do where there is no apt-get", async () => {
    expect((await takeStep()).code).toBe(127);
  });

  test("fails when apt-get has brought no browser", async () => {
    program("apt-get", "exit 0");
    const { code, errors } = await takeStep();
    expect(code).toBe(1);
    expect(errors).toContain("apt-get has installed chromium, and still no browser is found along PATH.");
  });

  test("installs nothing when CHROMIUM_PATH names no program", async () => {
    program("apt-get", "echo never");
    const { code, out, errors } = await takeStep({ CHROMIUM_PATH: "/no/such/browser" });
    expect(code).toBe(1);
    expect(out).not.toContain("never");
    expect(errors).toContain("CHROMIUM_PATH is /no/such/browser, and that is no program.");
  });
});
