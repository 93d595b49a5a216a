/**
 * Where people read words: the documents, the texts in the code, its comments, the gallery's pages. It cuts them into sentences.
 * It does not know which words are plain.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseSync, Visitor } from "vite";

export type Kind = "documents" | "errors" | "docstrings" | "comments" | "pages";

export interface Sentence {
  kind: Kind;
  file: string;
  /** 1 is the first. */
  line: number;
  /** In one line. A piece of code counts as one word, `code`. */
  text: string;
}

const ROOT = new URL("../../", import.meta.url).pathname;
/** Tests, what only they use, and what is built. */
const NOT_FOR_READERS = /\.(test|contract)\.ts$|\/(testing|node_modules|dist)\//;

export function readSentences(): Sentence[] {
  return ["", "docs", "packages", "examples"].flatMap(filesIn).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    if (file.endsWith(".md")) return sentencesOfDocument(file, text);
    if (file.endsWith(".html")) return sentencesOfHtml(file, text);
    if (/^packages\/[^/]+\/(src|pages)\/.*\.[jt]sx?$/.test(file))
      return sentencesOfCode(file, text, "errors");
    if (/^examples\/.*\.[jt]sx?$/.test(file)) return sentencesOfCode(file, text, "pages");
    return [];
  });
}

/** Each paragraph, list item, heading and table cell is read by itself. Code blocks are left out. */
export function sentencesOfDocument(file: string, markdown: string): Sentence[] {
  return blank(markdown, /^( *)```[\s\S]*?^\1```/gm, /<!--[\s\S]*?-->/g, /\]\([^)]*\)/g)
    .replace(/(`+)[^`][\s\S]*?\1/g, (span) => inCode(span))
    .replace(/^ *\|?[-| :]+\|$/gm, "")
    .replace(/^( *)(#+|>|\d+\.|[-*]) /gm, "$1\f")
    .replace(/^(#.*|\|.*)$/gm, (row) => row.replaceAll("|", "\f"))
    .split("\n")
    .reduce<{ text: string; line: number }[]>(
      (paragraphs, text, index) => {
        const [rest = "", ...begun] = text.trim() ? text.split("\f") : ["", ""];
        const last = paragraphs.at(-1);
        if (last) last.text += `\n${rest}`;
        paragraphs.push(...begun.map((each) => ({ text: each, line: index + 1 })));
        return paragraphs;
      },
      [{ text: "", line: 0 }],
    )
    .flatMap(({ text, line }) => cut("documents", file, line, text));
}

/** The string literals that are sentences, the text between tags, and the comments. */
export function sentencesOfCode(file: string, source: string, literals: "errors" | "pages"): Sentence[] {
  const found: Sentence[] = [];
  const add = (kind: Kind, start: number, text: string) => {
    if (!/\S\s+\S/.test(text)) return;
    found.push(...cut(kind, file, source.slice(0, start).split("\n").length, text));
  };
  const { program, comments } = parseSync(file, source);
  new Visitor({
    Literal: ({ value, start }) => {
      if (typeof value === "string") add(literals, start, value);
    },
    TemplateLiteral: ({ quasis, start }) =>
      add(literals, start, quasis.map(({ value }) => value.raw).join("code")),
    JSXText: ({ value, start }) => add(literals, start, value),
  }).visit(program);
  for (const { type, value, start } of comments) {
    const kind = type === "Block" && value.startsWith("*") ? "docstrings" : "comments";
    add(
      kind,
      start,
      value.replace(/^\s*\*+ ?/gm, "").replace(/`[^`]+`/g, (span) => inCode(span)),
    );
  }
  return found;
}

function sentencesOfHtml(file: string, html: string): Sentence[] {
  const text = blank(html, /<(script|style)[\s\S]*?<\/\1>/g, /<[^>]*>/g);
  return text.split("\n").flatMap((line, index) => cut("pages", file, index + 1, line));
}

/** A full stop ends a sentence where something follows that can begin one. A tag of a docstring begins one, too. */
function cut(kind: Kind, file: string, line: number, text: string): Sentence[] {
  let before = line;
  return text.split(/(?<=[.!?][)"”*_]*)(?=\s+["“(*_]*(?:[A-Z]|code\b))|\n(?=\s*\n|@)/).flatMap((part) => {
    const at = before + (/^\s*/.exec(part)?.[0].split("\n").length ?? 1) - 1;
    before += part.split("\n").length - 1;
    const sentence = part.trim().replace(/\s+/g, " ");
    return /[A-Za-z]/.test(sentence) ? [{ kind, file, line: at, text: sentence }] : [];
  });
}

/** Takes away what matches and keeps the line breaks, so that lines stay where they are. */
function blank(text: string, ...patterns: RegExp[]): string {
  return patterns.reduce(
    (rest, pattern) => rest.replace(pattern, (match) => match.replace(/[^\n]+/g, "")),
    text,
  );
}

function inCode(span: string): string {
  return `code${span.replace(/[^\n]/g, "")}`;
}

/** Of the root only the files that lie in it. */
function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: folder !== "", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .filter((file) => !NOT_FOR_READERS.test(`/${file}`));
}
