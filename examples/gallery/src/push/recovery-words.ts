/** The messages recovered after an outage, in plain words: one sentence each. */
import { gapInWords } from "./gap-words";
import type { Recovery } from "./recovery";

export function recoveryInWords({ outageMs, wasCut, came, gaps }: Recovery): string[] {
  const during = wasCut ? "while this window was cut off" : "while there was no connection";
  const sentences = [`Back after ${duration(outageMs)}. ${whatCame(came, during, gaps.length > 0)}`];
  // One reason often holds for several channels, such as a restart for all.
  const channelsOf = new Map<string, string[]>();
  for (const gap of gaps) {
    const words = gapInWords(gap);
    channelsOf.set(words, [...(channelsOf.get(words) ?? []), gap.channel]);
  }
  for (const [words, channels] of channelsOf) sentences.push(`${channels.join(", ")}: ${words}`);
  return sentences;
}

function whatCame(came: number, during: string, someMissing: boolean): string {
  if (came === 0) return someMissing ? "" : `Nothing came ${during}, and nothing is missing.`;
  if (came === 1) return `1 message came ${during}; it is here${someMissing ? "; others are not" : ""}.`;
  return `${came} messages came ${during}${someMissing ? " and are here; others are not" : "; all of them are here"}.`;
}

function duration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds === 1) return "a second";
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
}
