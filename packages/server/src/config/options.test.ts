/** An option is declared once: what is made from the declaration is there for each, and none is added here by hand. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { z } from "zod";
import { RATES } from "../access/rates/rate-options.js";
import { descriptionOf } from "../base/option.js";
import { LIMITS } from "../hub/terms/limits.js";
import { createFanfare } from "../library/fanfare.js";
import { planMemory } from "../library/memory-plan.js";
import { RELOAD_OPTIONS } from "../library/options.js";
import { loadConfig } from "./config.js";
import { configDocs } from "./docs.js";
import { OPTIONS } from "./options.js";
import { changesOf, isReloaded, reloadable } from "./reloading.js";

const GROUPS: readonly (readonly [name: string, group: z.ZodObject, file: string])[] = [
  ["limits", LIMITS, "../hub/terms/limits.ts"],
  ["rates", RATES, "../access/rates/rate-options.ts"],
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
  (_, group, file) => {
    const source = readFileSync(new URL(file, import.meta.url), "utf8");
    for (const [name, option] of Object.entries(group.shape)) {
      const { text, fromMemory } = descriptionOf(option) ?? {};
      const value = Number(group.parse({})[name]).toLocaleString("en");
      const less = fromMemory ? ", or less where there is little memory" : "";
      expect(source).toContain(`  /** ${text} @default ${value}${less} */\n  ${name}: `);
    }
  },
);

test.each(GROUPS)(
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
