/** An option is declared once: what is made from the declaration is there for each, and none is added here by hand. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FanfareError } from "@fanfare/protocol";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { FORWARDED_SESSION } from "../access/forwarded-session-options.js";
import { originOptions } from "../access/origins.js";
import { RATES } from "../access/rates/rate-options.js";
import { accessOptions } from "../access/settings.js";
import { TOKENS } from "../access/tokens/token-options.js";
import { descriptionOf } from "../base/option.js";
import { inFile } from "../base/option-kinds.js";
import { SOCKET_IO } from "../doors/socketio/options.js";
import { LIMITS } from "../hub/terms/limits.js";
import { RULE } from "../hub/terms/rule-options.js";
import { createFanfare } from "../library/fanfare.js";
import { planMemory } from "../library/memory-plan.js";
import { placeOptions, RELOAD_OPTIONS, reloadOptions } from "../library/options.js";
import { loadConfig } from "./config.js";
import { configDocs } from "./docs.js";
import { OPTIONS } from "./options.js";
import { changesOf, isReloaded, reloadable } from "./reloading.js";

/** Groups of options, and the files in which they are declared. */
const GROUPS: readonly (readonly [name: string, shape: z.core.$ZodShape, file: string])[] = [
  ["limits", LIMITS.shape, "../hub/terms/limits.ts"],
  ["rates", RATES.shape, "../access/rates/rate-options.ts"],
  ["tokens", TOKENS.shape, "../access/tokens/token-options.ts"],
  ["forwardedSession", FORWARDED_SESSION.shape, "../access/forwarded-session-options.ts"],
  ["socketio", SOCKET_IO.shape, "../doors/socketio/options.ts"],
  ["rules", RULE.shape, "../hub/terms/rule-options.ts"],
  ["access", inFile(accessOptions), "../access/settings.ts"],
  ["origins", originOptions, "../access/origins.ts"],
  ["places", inFile(placeOptions), "../library/options.ts"],
];
const NUMBERS: readonly (readonly [name: string, group: z.ZodObject])[] = [
  ["limits", LIMITS],
  ["rates", RATES],
];

const inForce = (environment: Record<string, string> = {}) =>
  loadConfig({
    folder: "/nowhere",
    environment,
    flags: {},
    memory: { heapLimit: 4 * 2 ** 30, total: 8 * 2 ** 30 },
  });

test("each option has a section in the documentation, and a variable of its own", () => {
  const docs = configDocs();
  for (const { key, variable } of OPTIONS) {
    expect(docs, key).toContain(`### \`${key}\``);
    expect(docs, key).toContain(`- Environment: \`${variable}\``);
  }
  expect(new Set(OPTIONS.map(({ variable }) => variable)).size).toBe(OPTIONS.length);
});

test.each(GROUPS)(
  "the comments of %s, which editors show, say what the declaration says",
  (_, shape, file) => {
    const source = readFileSync(new URL(file, import.meta.url), "utf8");
    for (const [name, option] of Object.entries(shape)) {
      const { text, fromMemory } = descriptionOf(option) ?? {};
      // A group of options, whose members are described.
      if (text === undefined) continue;
      const [, after = ""] = source.split(`  /** ${text}`);
      expect(after.slice(0, 100), text).toMatch(new RegExp(`^( @default [^\\n]+)? \\*/\\n  ${name}: `));
      const value = option instanceof z.ZodDefault ? option.def.defaultValue : undefined;
      if (typeof value !== "number") continue;
      const less = fromMemory ? ", or less where there is little memory" : "";
      expect(after).toMatch(new RegExp(`^ @default ${value.toLocaleString("en")}${less} `));
    }
  },
);

test("a value of another kind is refused in code and in a file, with the same words", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const ofBoth = OPTIONS.filter(({ path: [first = ""] }) => first in reloadOptions || first in placeOptions);
  expect(ofBoth.length).toBeGreaterThan(50);
  for (const { key, path } of ofBoth) {
    const given = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), { odd: {} }) as object;
    const file = join(folder, "fanfare.config.json");
    writeFileSync(file, JSON.stringify(given));
    const inFile = await loadConfig({ folder, environment: {}, flags: {}, file }).catch(String);
    const told = messageOf(() => createFanfare(given));
    expect(told).toMatch(new RegExp(`^${key} is an object\\. Give `));
    expect(inFile).toContain(told.replace("is an object", `is an object (fanfare.config.json)`));
  }
});

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof FanfareError) return `${error.message}. ${error.remedy}`;
    if (error instanceof TypeError) return error.message;
  }
  throw new Error("it was not refused");
}

test.each(NUMBERS)(
  "the same values of %s are refused in code and in a file, with the same words",
  async (name, group) => {
    for (const option of Object.keys(group.shape)) {
      const { allowed } = OPTIONS.find(({ key }) => key === `${name}.${option}`) ?? {};
      for (const wrong of [-1, 1.5, "5k", Number.POSITIVE_INFINITY, null]) {
        expect(() => createFanfare({ [name]: { [option]: wrong } })).toThrow(
          new TypeError(
            `${name}.${option} is ${JSON.stringify(wrong === Number.POSITIVE_INFINITY ? undefined : wrong) ?? "Infinity"}. Give ${allowed}.`,
          ),
        );
      }
      const variable = OPTIONS.find(({ key }) => key === `${name}.${option}`)?.variable ?? "";
      await expect(inForce({ [variable]: "-1" })).rejects.toThrow(
        `${name}.${option} is -1 (${variable}). Give ${allowed}.`,
      );
    }
  },
);

test("the limits that say that they go by the memory are those that the memory plan knows", () => {
  const said = OPTIONS.filter(({ fromMemory }) => fromMemory).map(({ path }) => path[1]);
  const { limits } = planMemory({ heapLimit: 2 ** 30, total: 2 ** 31 });
  expect(said.sort()).toEqual(Object.keys(limits).sort());
});

test("a running server takes over what fanfare.reload() takes, and the documentation says of each which it is", async () => {
  const { config } = await inForce();
  const docs = configDocs();
  for (const option of OPTIONS) {
    const { key, path } = option;
    const taken = RELOAD_OPTIONS.includes(path[0] ?? "");
    expect([key, isReloaded(option)]).toEqual([key, taken]);
    const section = docs.slice(docs.indexOf(`### \`${key}\``)).split("\n### ")[0];
    expect(section).toContain(`- SIGHUP: ${taken ? "taken over" : "needs a restart"}`);
  }
  expect(Object.keys(reloadable(config)).every((name) => RELOAD_OPTIONS.includes(name))).toBe(true);
  expect(changesOf(config, { ...config, port: 1, rules: [{ channels: "a" }] })).toEqual({
    taken: ["rules"],
    needRestart: ["port"],
  });
});
