import { readFileSync } from "node:fs";
import { STATUS_CODES } from "node:http";
import { describe, expect, test } from "vitest";
import { CLOSE, type CloseCode, ERRORS, type ErrorMeaning, REMEDIES_OF_RETURN } from "./codes.js";
import { GAP_REASONS } from "./frames.js";

const errors: [string, ErrorMeaning][] = Object.entries(ERRORS);
const closes = Object.entries<CloseCode>(CLOSE).map(
  ([key, { remedy = REMEDIES_OF_RETURN[key] ?? "", ...close }]) => [key, { ...close, remedy }] as const,
);
/** What PROTOCOL.md calls a close code: clients need no names, so they do not load them. */
const nameOf = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** WebSocket's own codes that may stand in a close frame, by the IANA registry. */
const SENDABLE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
const SENTENCE = /^[A-Z].*[A-Za-z0-9`)~]\.$/;

describe("close codes", () => {
  test("are unique", () => {
    expect(new Set(closes.map(([, { code }]) => code)).size).toBe(closes.length);
  });

  test("are WebSocket's own (RFC 6455), or from 4400 to 4499 and mirror the HTTP status of the last three digits", () => {
    for (const [key, { code }] of closes) {
      if (code >= 4000) expect(STATUS_CODES, key).toHaveProperty(String(code - 4000));
      else expect(SENDABLE, key).toContain(code);
      if (code >= 4000) expect(code, key).toSatisfy((one: number) => one >= 4400 && one <= 4499);
    }
  });

  test("let the client come back only where trying again without a change can help", () => {
    const back = closes.filter(([, { reconnect }]) => reconnect).map(([, { code }]) => code);
    expect(back).toEqual([1011, 1012, 1013, 4408, 4429]);
    const elsewhere = closes.filter(([key]) => REMEDIES_OF_RETURN[key]).map(([, { code }]) => code);
    expect(elsewhere, "clients load no remedy that they never show").toEqual(back);
  });

  test.each(closes)("%s says in sentences what it means and what to do", (_, { meaning, remedy }) => {
    expect(meaning).toMatch(SENTENCE);
    expect(remedy).toMatch(SENTENCE);
  });
});

describe("error codes", () => {
  test.each(errors)("%s is in snake case, has an HTTP error status, and says what to do", (code, error) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(error.status).toBeGreaterThanOrEqual(400);
    expect(STATUS_CODES).toHaveProperty(String(error.status));
    expect(error.meaning).toMatch(SENTENCE);
    expect(error.remedy).toMatch(SENTENCE);
  });

  test("are told apart by their meanings", () => {
    expect(new Set(errors.map(([, { meaning }]) => meaning)).size).toBe(errors.length);
  });
});

describe("the reasons of gaps", () => {
  test.each(Object.entries(GAP_REASONS))("%s is in snake case and means a sentence", (reason, meaning) => {
    expect(reason).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(meaning).toMatch(SENTENCE);
  });
});

describe("PROTOCOL.md", () => {
  test("section 8 holds exactly the error codes of codes.ts", () => {
    const wanted = errors.map(([code, { status, meaning, remedy }]) => [
      `\`${code}\``,
      String(status),
      meaning,
      remedy,
    ]);
    expect(rowsToMend("## 8.", wanted)).toEqual([]);
  });

  test("section 9 holds exactly the close codes of codes.ts", () => {
    const wanted = closes.map(([key, { code, meaning, reconnect, remedy }]) => [
      String(code),
      `\`${nameOf(key)}\``,
      meaning,
      reconnect ? "yes" : "no",
      remedy,
    ]);
    expect(rowsToMend("## 9.", wanted)).toEqual([]);
  });

  test("section 5.3 holds exactly the reasons of frames.ts", () => {
    const wanted = Object.entries(GAP_REASONS).map(([reason, meaning]) => [`\`${reason}\``, meaning]);
    expect(rowsToMend("### 5.3 ", wanted)).toEqual([]);
  });

  test("has a reader of tables that notices a row too few, too many, changed, or twice", () => {
    const text =
      "## 1. T\n\n| code | means |\n| --- | :-: |\n| `a` | A. |\n| `b`  | B \\| b. |\n| `b` | B. |\n\n## 2. U\n";
    expect(rowsToMend("## 1.", [["`a`", "A!"]], text)).toEqual([
      "PROTOCOL.md, ## 1.: mend the row `a` to: | `a` | A! |",
      "PROTOCOL.md, ## 1.: the code knows no `b`, take out: | `b` | B | b. |",
      "PROTOCOL.md, ## 1.: the code knows no `b`, take out: | `b` | B. |",
    ]);
    expect(
      rowsToMend(
        "## 1.",
        [
          ["`a`", "A."],
          ["`b`", "B | b."],
          ["`c`", "C."],
        ],
        text,
      ),
    ).toEqual([
      "PROTOCOL.md, ## 1.: `b` stands there twice",
      "PROTOCOL.md, ## 1.: add the row: | `c` | C. |",
    ]);
    expect(rowsToMend("## 2.", [["`a`", "A."]], text)).toEqual([
      "PROTOCOL.md, ## 2.: add the row: | `a` | A. |",
    ]);
    expect(() => rowsToMend("## 3.", [], text)).toThrow("PROTOCOL.md has no heading ## 3.");
  });
});

/** What has to be done so that the table under a heading has exactly the wanted rows, known by their first cell. */
function rowsToMend(
  heading: string,
  wanted: readonly (readonly string[])[],
  text = readFileSync(new URL("../../../PROTOCOL.md", import.meta.url), "utf8"),
): string[] {
  const found = tableUnder(heading, text);
  const line = (row: readonly string[]) => `| ${row.join(" | ")} |`;
  const problems: string[] = [];
  for (const row of wanted) {
    const [key] = row;
    const same = found.filter(([first]) => first === key);
    if (same.length === 0) problems.push(`add the row: ${line(row)}`);
    else if (same.length > 1) problems.push(`${key} stands there twice`);
    else if (same.every((one) => line(one) !== line(row)))
      problems.push(`mend the row ${key} to: ${line(row)}`);
  }
  for (const row of found) {
    if (!wanted.some(([key]) => key === row[0])) {
      problems.push(`the code knows no ${row[0]}, take out: ${line(row)}`);
    }
  }
  return problems.map((problem) => `PROTOCOL.md, ${heading.trim()}: ${problem}`);
}

/** The rows of the Markdown table in the section that a heading begins, without its head, as trimmed cells. */
function tableUnder(heading: string, text: string): string[][] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(heading));
  if (start < 0) throw new Error(`PROTOCOL.md has no heading ${heading}`);
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith("#"));
  const section = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
  const rows = section
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll("\\|", "|")),
    );
  const rule = rows.findIndex((cells) => cells.every((cell) => /^:?-+:?$/.test(cell)));
  return rows.slice(rule + 1);
}
