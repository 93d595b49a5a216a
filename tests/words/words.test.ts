import { describe, expect, test } from "vitest";
import { type Kind, readSentences, type Sentence, sentencesOfCode, sentencesOfDocument } from "./texts.js";

/**
 * How many sentences may break a rule. Lower a number when you have mended some, and never raise one: rewrite the sentence.
 * CONTRIBUTING.md has the rules.
 */
const AT_MOST: Readonly<Record<Kind, number>> = {
  documents: 0,
  errors: 0,
  docstrings: 145,
  comments: 22,
  pages: 0,
};
/** Of the sentences of the documents. */
const LONG_AT_MOST = 0.015;
const WORDS = 25;

/** Words that hide who acts, or how much. */
const BANNED = /\b(whoever|whomever|nobody|lest|so many|so long|lacks? the action)\b/i;
/** A relative clause as the subject: "Who is over the rate is closed." A question is none. */
const RELATIVE_SUBJECT = /^["“(*_]*(Those|Anyone|Everyone)? ?(who|what|whatever)\b(?!.*\?)/i;
const RELATIVE_SUBJECT_INSIDE = /[;:] (those |anyone )?(who|whatever) (?!.*\?)/i;

const sentences = readSentences();

describe("words", () => {
  test.each(Object.entries(AT_MOST))("of the %s are plain, but for at most %d sentences", (kind, atMost) => {
    const found = sentences.filter((sentence) => sentence.kind === kind && isRough(sentence.text));
    expect(found.length, listed(found)).toBeLessThanOrEqual(atMost);
  });

  test(`of the documents' sentences at most ${LONG_AT_MOST * 100} % have more than ${WORDS} words`, () => {
    const all = sentences.filter(({ kind }) => kind === "documents");
    const long = all.filter(({ text }) => isLong(text));
    expect(long.length / all.length, listed(long)).toBeLessThanOrEqual(LONG_AT_MOST);
  });
});

describe("the check of words", () => {
  test("reads paragraphs, list items, headings and table cells, and no code", () => {
    const read = (markdown: string) =>
      sentencesOfDocument("a.md", markdown).map(({ line, text }) => `${line}: ${text}`);
    expect(read("# A title\n\nOne line\nand more. Then `nobody\n else` comes.\n\n- an item\n")).toEqual([
      "1: A title",
      "3: One line and more.",
      "4: Then code comes.",
      "7: an item",
    ]);
    expect(read("```js\nnobody();\n```\n| a | b |\n|---|---|\n| [one](nobody.md) | `two` |")).toEqual([
      "4: a",
      "4: b",
      "6: [one",
      "6: code",
    ]);
  });

  test("reads string literals and comments where they are, and no names", () => {
    const source =
      "/** Tells\n * nobody. */\nconst nobody = `so nobody`; // a note\nthrow new Error('Not a name.');\n";
    expect(
      sentencesOfCode("a.ts", source, "errors").map(({ kind, line, text }) => `${kind} ${line}: ${text}`),
    ).toEqual([
      "errors 3: so nobody",
      "errors 4: Not a name.",
      "docstrings 1: Tells nobody.",
      "comments 3: a note",
    ]);
  });

  test.each([
    "Whoever writes waits.",
    "A lock that nobody holds is free.",
    "Who is over the rate is closed.",
    "A lock is free; who wants it takes it.",
    "The caller lacks the action publish.",
  ])("finds %j", (text) => {
    expect(isRough(text)).toBe(true);
  });

  test.each(["Who holds a lock?", "Who may listen", "The answer says who holds it.", "What to do"])(
    "lets %j be",
    (text) => {
      expect(isRough(text)).toBe(false);
    },
  );
});

function isRough(text: string): boolean {
  return (
    BANNED.test(text) ||
    (/[.;:]/.test(text) && (RELATIVE_SUBJECT.test(text) || RELATIVE_SUBJECT_INSIDE.test(text)))
  );
}

function isLong(text: string): boolean {
  return text.split(" ").filter((word) => /\w/.test(word)).length > WORDS;
}

function listed(found: readonly Sentence[]): string {
  return found.map(({ file, line, text }) => `${file}:${line}: ${text}`).join("\n");
}
