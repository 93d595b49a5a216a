/** Durations that were counted elsewhere, as a histogram in the text format of Prometheus: its library only observes by itself. */
import { DURATION_BOUNDS_MS, type Durations } from "../base/durations.js";

export function durationsText(name: string, help: string, { counts, sumMs }: Durations): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
  let total = 0;
  for (const [index, count] of counts.entries()) {
    total += count;
    const bound = DURATION_BOUNDS_MS[index];
    lines.push(`${name}_bucket{le="${bound === undefined ? "+Inf" : bound / 1000}"} ${total}`);
  }
  lines.push(`${name}_sum ${sumMs / 1000}`, `${name}_count ${total}`);
  return `${lines.join("\n")}\n`;
}
