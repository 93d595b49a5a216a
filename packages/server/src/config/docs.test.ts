import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { configDocs } from "./docs.js";
import { OPTIONS } from "./options.js";

const FILE = new URL("../../../../docs/configuration.md", import.meta.url);

test("docs/configuration.md is what fanfare config --docs prints", () => {
  const remedy =
    "docs/configuration.md is old. Build, then: node packages/server/bin/fanfare.js config --docs > docs/configuration.md";
  expect(readFileSync(FILE, "utf8") === configDocs(), remedy).toBe(true);
});

test("every option is described, with its default, its variable and what is allowed", () => {
  expect(OPTIONS.map(({ key }) => key)).toContain("limits.sessionSeconds");
  for (const { text, allowed, variable, default: value } of OPTIONS) {
    expect(text).toMatch(/[.;]$/);
    expect(allowed).not.toBe("");
    expect(variable).toMatch(/^FANFARE_[A-Z_]+$/);
    expect(value).toBeDefined();
  }
});
