/** What is in force, as a table for people and as JSON for programs. Secrets are not shown. */
import { DEFAULT, FROM_MEMORY, type InForce, type Origin } from "./config.js";
import { OPTIONS, type Option } from "./options.js";

const MASK = "********";

interface Row {
  readonly key: string;
  readonly value: unknown;
  readonly from: Origin;
}

export function asTable(inForce: InForce): string {
  const lines = rows(inForce).map(({ key, value, from }) => [key, text(value), from.name]);
  const all = [["option", "value", "from"], ...lines];
  const width = (column: number) => Math.max(...all.map((line) => line[column]?.length ?? 0));
  const [first, second] = [width(0), Math.min(60, width(1))];
  return all
    .map(([key = "", value = "", from = ""]) => `${key.padEnd(first)}  ${value.padEnd(second)}  ${from}\n`)
    .join("");
}

export function asJson(inForce: InForce): string {
  const members = rows(inForce).map(({ key, value, from }) => [
    key,
    { value, from: from.kind, ...(from.kind !== "default" && { name: from.name }) },
  ]);
  return `${JSON.stringify(Object.fromEntries(members), null, 2)}\n`;
}

function rows({ config, origins }: InForce): Row[] {
  return OPTIONS.map((option) => {
    const value = valueIn(config, option);
    const unsaid = option.fromMemory && value !== option.default ? FROM_MEMORY : DEFAULT;
    return { key: option.key, value: masked(option, value), from: origins.get(option.key) ?? unsaid };
  });
}

function valueIn(config: InForce["config"], { path }: Option): unknown {
  return path.reduce<unknown>((inner, step) => (inner as Record<string, unknown>)[step], config);
}

function masked({ secret }: Option, value: unknown): unknown {
  if (!secret) return value;
  return Array.isArray(value) ? value.map(() => MASK) : MASK;
}

function text(value: unknown): string {
  if (value === "") return "none";
  if (Array.isArray(value)) {
    if (value.length === 0) return "none";
    if (value.every((item) => typeof item === "string")) return value.join(", ");
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}
