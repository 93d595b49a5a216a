/** Rules: what holds for the channels that a pattern matches. */
import {
  bySpecificity,
  type ChannelName,
  FanfareError,
  matches,
  OWN_KINDS,
  type OwnKind,
  type Pattern,
  parseChannelName,
  parsePattern,
  plainName,
} from "@fanfare/protocol";
import type { z } from "zod";
import { checkedOptions } from "../../base/option-checks.js";
import type { Retention } from "../../engine/engine.js";
import { DEFAULT_HISTORY, DEFAULT_PRESENCE, RULE, type RuleOptions } from "./rule-options.js";

/** The rule of a channel. */
export interface Rule {
  readonly retention: Retention;
  /** Writes per second to each subscriber; `null` is as often as the event loop turns. */
  readonly maxWritesPerSecond: number | null;
  /** `all`: every message is delivered. `latest`: only the newest per event name; the others are announced as gaps. */
  readonly events: "all" | "latest";
  /** `memory`: on a durable engine, this channel's messages need not outlive the process. */
  readonly durability: "engine" | "memory";
  /** Every connection is subscribed without asking. */
  readonly auto: boolean;
  /** Subscribers are present; `null`: the server does not follow them. */
  readonly presence: PresenceRule | null;
}

/** How presence is told. */
export interface PresenceRule {
  /** With more members than this, subscribers are told the count only. */
  readonly maxListed: number;
  /** Changes within this time are told at once. */
  readonly intervalMs: number;
}

export const DEFAULT_RULE: Rule = {
  retention: { messages: DEFAULT_HISTORY.messages, ageMs: DEFAULT_HISTORY.seconds * 1000 },
  maxWritesPerSecond: null,
  events: "all",
  durability: "engine",
  auto: false,
  presence: null,
};

/**
 * The rule of Fanfare's own channels. Never in memory only, since `**` in a rule is not meant for them. Clients that watch a
 * sequence recover by its log. Answers stand with the idempotency keys, so that other callers cannot push it out.
 */
const OWN_RETENTION: Readonly<Record<OwnKind, Retention>> = {
  lock: { messages: 10, ageMs: 60_000 },
  sequence: { messages: 100, ageMs: 300_000 },
  index: { messages: 10, ageMs: 60_000 },
};

interface PreparedRule {
  readonly pattern: Pattern;
  readonly rule: Rule;
}

/** Finds the rule of a channel. */
export class Rules {
  #rules: readonly PreparedRule[];
  #auto: readonly ChannelName[];

  /** @throws TypeError for a value that a rule cannot have; FanfareError `invalid_rule`, `invalid_pattern` */
  constructor(options: readonly RuleOptions[] = []) {
    this.#rules = prepare(options);
    this.#auto = autoOf(this.#rules);
  }

  /** The channels that every connection is subscribed to. */
  get auto(): readonly ChannelName[] {
    return this.#auto;
  }

  /** Is there a rule that takes channels out of a durable engine? */
  get someInMemory(): boolean {
    return this.#rules.some(({ rule }) => rule.durability === "memory");
  }

  /** Is there a rule with presence? */
  get somePresence(): boolean {
    return this.#rules.some(({ rule }) => rule.presence !== null);
  }

  /** One of Fanfare's own channels has a rule of its own, and only its rate from that of the name it belongs to. */
  of(channel: string): Rule {
    if (channel.startsWith("$")) return this.#ofOwn(channel);
    for (const { pattern, rule } of this.#rules) if (matches(pattern, channel)) return rule;
    return DEFAULT_RULE;
  }

  #ofOwn(channel: string): Rule {
    const kind = OWN_KINDS.find((each) => channel.startsWith(`$${each}:`)) ?? "lock";
    const { maxWritesPerSecond } = this.of(plainName(channel));
    return { ...DEFAULT_RULE, retention: OWN_RETENTION[kind], maxWritesPerSecond };
  }

  /**
   * Looks at other rules, and answers with what takes them over. A channel in use cannot move to another engine, so which ones
   * live in memory has to stay.
   *
   * @throws FanfareError `invalid_rule`, `invalid_pattern`
   */
  prepareOthers(options: readonly RuleOptions[] = []): () => void {
    const others = prepare(options);
    if (placesOf(others) !== placesOf(this.#rules)) {
      throw invalidRule(
        'other channels would have durability "memory" than have it now',
        "Restart, or leave the rules with a durability, and the patterns of the others, as they are.",
      );
    }
    return () => {
      this.#rules = others;
      this.#auto = autoOf(others);
    };
  }
}

/** The most specific first. */
function prepare(options: readonly RuleOptions[]): PreparedRule[] {
  const rules = options.map((option, index) => {
    const checked = checkedOptions(`rules[${index}]`, RULE, option);
    return { pattern: parsePattern(checked.channels), rule: toRule(checked) };
  });
  rules.sort((a, b) => bySpecificity(a.pattern, b.pattern));
  const seen = new Set<string>();
  for (const { pattern } of rules) {
    if (seen.has(pattern.text)) {
      throw invalidRule(`two rules are for ${pattern.text}`, "Put what both say into one rule.");
    }
    seen.add(pattern.text);
  }
  return rules;
}

function autoOf(rules: readonly PreparedRule[]): ChannelName[] {
  return rules.filter(({ rule }) => rule.auto).map(({ pattern }) => parseChannelName(pattern.text));
}

/** The same text for rules that put every channel into the same place. */
function placesOf(rules: readonly PreparedRule[]): string {
  if (rules.every(({ rule }) => rule.durability === "engine")) return "";
  return rules.map(({ pattern, rule }) => `${pattern.text} ${rule.durability}`).join("\n");
}

function toRule({ channels, presence, ...options }: z.output<typeof RULE>): Rule {
  const { messages, seconds } = DEFAULT_HISTORY;
  const { history = messages, historySeconds = seconds, maxRate = null, auto = false } = options;
  if (auto && !parsePattern(channels).literal) {
    throw invalidRule(`rule ${channels}: auto is set`, "Use auto only with the name of one channel.");
  }
  return {
    retention: { messages: history, ageMs: historySeconds * 1000 },
    maxWritesPerSecond: maxRate,
    events: options.events ?? "all",
    durability: options.durability ?? "engine",
    auto,
    presence: presence ? toPresence(presence === true ? DEFAULT_PRESENCE : presence) : null,
  };
}

function toPresence({
  maxListed,
  intervalSeconds,
}: Readonly<Record<keyof typeof DEFAULT_PRESENCE, number>>): PresenceRule {
  return { maxListed, intervalMs: intervalSeconds * 1000 };
}

function invalidRule(message: string, remedy: string): FanfareError {
  return new FanfareError("invalid_rule", message, { remedy });
}
