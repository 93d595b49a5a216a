/**
 * schemathesis calls everything that the OpenAPI document has, with what it allows and what it forbids, and compares the answers with it.
 * Runs where there is a Python 3 with venv; the package comes from PyPI. `SLOW_SEED` repeats a run.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Command, dataDir } from "../cli/command.js";

const KEY = "0123456789abcdef-key";
const VENV = fileURLToPath(new URL("../../node_modules/.cache/fanfare/schemathesis", import.meta.url));
const VERSION = "4.32.5";
const SEED = process.env.SLOW_SEED ?? String(Math.floor(Math.random() * 2 ** 31));
const EXAMPLES = process.env.OPENAPI_EXAMPLES ?? "50";
const hasPython = spawnSync("python3", ["-m", "venv", "--help"]).status === 0;

test.runIf(hasPython)(
  "schemathesis finds no answer that the document does not have",
  async () => {
    install();
    const env = {
      ...dataDir(),
      FANFARE_API_KEY: KEY,
      FANFARE_SECRET: "0123456789abcdef0123456789abcdef",
      FANFARE_RULES: JSON.stringify([{ channels: "**", presence: true }]),
      FANFARE_LOG_LEVEL: "error",
    };
    const command = new Command(["start", "--port", "0"], env);
    const [, health = ""] = await command.says(/Health {5}(\S+)/);
    await command.says(/curl .*\n\n/);
    const { stdout, status } = spawnSync(
      join(VENV, "bin/schemathesis"),
      [
        "run",
        health.replace("/health", "/openapi.json"),
        `--header=Authorization: Bearer ${KEY}`,
        `--seed=${SEED}`,
        `--max-examples=${EXAMPLES}`,
        "--request-timeout=20",
        "--continue-on-failure",
        // Streams do not end.
        "--exclude-path-regex=/sse$",
        // It takes what only a setting or an earlier call forbids, such as a key that was used already, for a fault.
        "--exclude-checks=positive_data_acceptance,ensure_resource_availability",
      ],
      { encoding: "utf8", cwd: VENV, env: { ...process.env, NO_COLOR: "1", COLUMNS: "200" } },
    );
    expect(status, `seed ${SEED}\n${stdout}`).toBe(0);
    command.kill("SIGTERM");
    expect((await command.end()).code).toBe(0);
  },
  1_200_000,
);

function install(): void {
  const pip = join(VENV, "bin/pip");
  if (!existsSync(pip)) run("python3", ["-m", "venv", VENV]);
  run(pip, ["install", "--quiet", "--disable-pip-version-check", `schemathesis==${VERSION}`]);
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${stderr}`);
}
