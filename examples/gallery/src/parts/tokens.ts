/** Splits JavaScript into what is coloured alike. Knows as much as the examples of this page need. */
export interface Token {
  readonly kind: "comment" | "text" | "word" | "number" | "call" | "plain";
  readonly text: string;
  /** Where it begins. */
  readonly at: number;
}

const PATTERN =
  /(?<comment>\/\/[^\n]*)|(?<text>"[^"\n]*"|`[^`]*`)|(?<word>\b(?:import|from(?= ")|const|let|async|await|return|if|else|new|null|true|false)\b)|(?<number>\b\d+\b)|(?<call>\b[a-zA-Z]+(?=\())/g;
const KINDS = ["comment", "text", "word", "number", "call"] as const;

export function tokens(code: string): Token[] {
  const found: Token[] = [];
  let end = 0;
  for (const { index, 0: text, groups } of code.matchAll(PATTERN)) {
    if (index > end) found.push({ kind: "plain", text: code.slice(end, index), at: end });
    found.push({ kind: KINDS.find((kind) => groups?.[kind] !== undefined) ?? "plain", text, at: index });
    end = index + text.length;
  }
  if (end < code.length) found.push({ kind: "plain", text: code.slice(end), at: end });
  return found;
}
