import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { forgetInstall, rememberInstall, whyInstall } from "../scripts/installed.mjs";
import { isNewEnough, type Step, takeSideBySide } from "../scripts/steps.mjs";

describe("the packages are installed", () => {
  let root = "";
  const stamp = () => join(root, "node_modules", ".cache", "fanfare", "installed");
  const lock = (text: string) => writeFileSync(join(root, "package-lock.json"), text);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "fanfare-installed-"));
    lock("{}");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test("when there is no node_modules", () => {
    expect(whyInstall(root)).toBe("there is no node_modules yet");
  });

  test("when nobody knows where node_modules came from", () => {
    mkdirSync(join(root, "node_modules"));
    expect(whyInstall(root)).toBe("nothing says from which package-lock.json node_modules came");
  });

  test("only once, as long as package-lock.json stays the same", () => {
    rememberInstall(root);
    expect(whyInstall(root)).toBeNull();
    lock("{}");
    expect(whyInstall(root)).toBeNull();
    rememberInstall(root);
    expect(readdirSync(join(root, "node_modules", ".cache", "fanfare"))).toEqual(["installed"]);
  });

  test("again when package-lock.json has changed, and not once more after that", () => {
    rememberInstall(root);
    lock(`{"changed": true}`);
    expect(whyInstall(root)).toBe("package-lock.json or the machine is another than at the last install");
    rememberInstall(root);
    expect(whyInstall(root)).toBeNull();
  });

  test.each(["", "garbage", "0".repeat(64)])("again when the note holds something else: %j", (text) => {
    rememberInstall(root);
    writeFileSync(stamp(), text);
    expect(whyInstall(root)).not.toBeNull();
  });

  test("again when an install did not come to its end, for the note is taken away before it begins", () => {
    rememberInstall(root);
    forgetInstall(root);
    expect(whyInstall(root)).not.toBeNull();
    forgetInstall(root);
  });

  test("again when node_modules was removed, for the note goes with it", () => {
    rememberInstall(root);
    rmSync(join(root, "node_modules"), { recursive: true });
    expect(whyInstall(root)).toBe("there is no node_modules yet");
  });
});

describe("a version of Node", () => {
  test.each([
    ["20.19.0", "20.19", true],
    ["20.20.2", "20.19", true],
    ["22.1.0", "20.19", true],
    ["100.0.0", "20.19", true],
    ["20.19", "20.19.0", true],
    ["20.18.3", "20.19", false],
    ["20.9.0", "20.19", false],
    ["18.20.4", "20.19", false],
    ["9.99.99", "20.19", false],
  ])("%s, where %s is wanted: %j", (version, wanted, expected) => {
    expect(isNewEnough(version, wanted)).toBe(expected);
  });
});

describe("a command", () => {
  /** Starts `run(node, -e <code>)` in a process of its own, without a terminal, and gives what it writes. */
  function runElsewhere(code: string) {
    const from = new URL("../scripts/run.mjs", import.meta.url).href;
    const script = `import { run } from ${JSON.stringify(from)};
      const outcome = await run(process.execPath, ["-e", ${JSON.stringify(code)}]);
      console.log(JSON.stringify(outcome));`;
    const outer = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [outer.stdout, outer.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    return { outer, written: once(outer.stdout, "end").then(() => output) };
  }

  test("gives its exit code", async () => {
    expect(await runElsewhere("process.exit(7)").written).toBe(`{"code":7,"stoppedBy":null}\n`);
  });

  test("that a signal ended gives 128 and the number of the signal", async () => {
    expect(await runElsewhere("process.kill(process.pid, 'SIGKILL')").written).toBe(
      `{"code":137,"stoppedBy":null}\n`,
    );
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "gets %s handed on, ends in its own way, and is waited for",
    async (signal) => {
      const { outer, written } = runElsewhere(`
        process.once("${signal}", () => { console.log("goodbye"); clearInterval(alive); process.exitCode = 3; });
        const alive = setInterval(() => {}, 1000);
        console.log("ready");`);
      await once(outer.stdout, "data");
      outer.kill(signal);
      expect(await written).toBe(`ready\ngoodbye\n{"code":3,"stoppedBy":"${signal}"}\n`);
    },
  );
});

describe("steps that are taken side by side", () => {
  /** A step that writes its name when it is let go. */
  const step = (name: string, code: number, gone: Promise<unknown>, done: () => void = () => {}): Step => ({
    name,
    why: () => "a test",
    async work(output) {
      await gone;
      if (output !== undefined) writeSync(output, `${name} begins\n${"\n.\n".repeat(7)}${name} writes\n`);
      done();
      return { code, stoppedBy: null };
    },
    remedy: "Mend it.",
  });

  /** What is written, and the exit code is put back. */
  const listen = () => {
    const { exitCode } = process;
    onTestFinished(() => {
      process.exitCode = exitCode;
    });
    const said: string[] = [];
    vi.spyOn(process.stdout, "write").mockImplementation((text) => said.push(String(text)) > 0);
    vi.spyOn(console, "log").mockImplementation((text) => void said.push(`${text}\n`));
    vi.spyOn(console, "error").mockImplementation((text) => void said.push(`${text}\n`));
    return said;
  };

  test("tell at the end what failed, wherever it stood", async () => {
    const said = listen();
    const now = Promise.resolve();
    const aside = [step("good", 0, now), step("bad", 1, now), step("better", 0, now)];
    expect(await takeSideBySide([step("first", 0, now)], aside)).toBe(false);
    const outputs = [...said.join("").matchAll(/^\w+ (begins|writes)$/gm)].map(([line]) => line);
    expect(outputs).toEqual(["good writes", "better writes", "bad begins", "bad writes"]);
    expect(said.join("").trim().split("\n").slice(-2)).toEqual([
      expect.stringMatching(/^bad: failed after [\d.]+ s, with exit code 1$/),
      "Mend it.",
    ]);
  });

  test("tell it once more when one of the shown failed", async () => {
    const said = listen();
    expect(
      await takeSideBySide([step("first", 1, Promise.resolve())], [step("second", 0, Promise.resolve())]),
    ).toBe(false);
    expect(said.join("").trim().split("\n").slice(-2)).toEqual([
      expect.stringMatching(/^first: failed after [\d.]+ s, with exit code 1$/),
      "Mend it.",
    ]);
  });

  test.each([
    [0, 0, true],
    [1, 0, false],
    [0, 1, false],
  ])(
    "end with %i and %i: both are told, and the second's output comes after the first",
    async (a, b, isWell) => {
      const { exitCode } = process;
      const said = listen();
      let second = () => {};
      const afterSecond = new Promise<void>((done) => {
        second = done;
      });
      // The first ends last.
      const shown = [step("first", a, afterSecond)];
      expect(await takeSideBySide(shown, [step("second", b, Promise.resolve(), second)])).toBe(isWell);
      const text = said.join("");
      expect(text).toMatch(
        /first: a test[\s\S]*first: (done|failed)[\s\S]*second: a test\n[\s\S]*second writes[\s\S]*second: (done|failed)/,
      );
      expect(process.exitCode ?? 0).toBe(isWell ? (exitCode ?? 0) : 1);
    },
  );
});
