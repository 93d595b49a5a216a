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
  shown,
} from "@fanfare/protocol";
import { checkKinds, checkOptions, membersOf } from "../../base/known-names.js";
import type { Retention } from "../../engine/engine.js";

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

/** A rule as it is written in options and configuration. Members that are left out take the default. */
export interface RuleOptions {
  /** The channels it is for, such as `order:*`, `ticker:**` or `broadcast`. The most specific pattern wins whole. */
  readonly channels: string;
  /** How many messages the log keeps, 0 to 100,000. @default 100 */
  readonly history?: number;
  /** How long the log keeps a message, in seconds. @default 300 */
  readonly historySeconds?: number;
  /** At most this many writes a second reach each subscriber. @default no limit */
  readonly maxRate?: number;
  /** `latest` delivers only the newest message per event name of what waits. @default "all" */
  readonly events?: "all" | "latest";
  /** `memory` takes the channels out of a durable engine. @default "engine" */
  readonly durability?: "engine" | "memory";
  /** Subscribes every connection without being asked; only for a pattern that names one channel. @default false */
  readonly auto?: boolean;
  /** Follows who is subscribed, and tells those who have the action `presence`. `true` takes the defaults. @default false */
  readonly presence?: boolean | PresenceOptions;
}

export interface PresenceOptions {
  /** With more members than this, subscribers are told the count only, 0 to 100,000. @default 10,000 */
  readonly maxListed?: number;
  /** Changes within this many seconds travel as one frame, 0.1 to 60. @default 1 */
  readonly intervalSeconds?: number;
}

export const DEFAULT_PRESENCE: PresenceRule = { maxListed: 10_000, intervalMs: 1000 };

export const DEFAULT_RULE: Rule = {
  retention: { messages: 100, ageMs: 300_000 },
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

  /** @throws FanfareError `invalid_rule`, `invalid_pattern`, TypeError for a member that rules do not have */
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
    const channels: unknown = option?.channels;
    checkOptions(
      channels === undefined
        ? `rules[${index}]`
        : `rule ${typeof channels === "string" ? channels : shown(channels)}`,
      option,
      RULE_MEMBERS,
    );
    checkKinds(`rules[${index}].`, { ...option, channels: option.channels ?? null }, RULE_KINDS);
    return { pattern: parsePattern(option.channels), rule: toRule(option) };
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

const RULE_MEMBERS = membersOf<RuleOptions>({
  channels: true,
  history: true,
  historySeconds: true,
  maxRate: true,
  events: true,
  durability: true,
  auto: true,
  presence: true,
});

const RULE_KINDS = { channels: "a text", auto: "true or false" } as const;

const PRESENCE_MEMBERS = membersOf<PresenceOptions>({ maxListed: true, intervalSeconds: true });

function toRule(options: RuleOptions): Rule {
  const { channels, history, historySeconds, maxRate, events, durability, auto } = options;
  const refuse = (name: string, value: unknown, wanted: string) =>
    invalidRule(`rule ${channels}: ${name} is ${shown(value)}`, `Give ${name} ${wanted}.`);
  if (history !== undefined && !(Number.isInteger(history) && history >= 0 && history <= 100_000)) {
    throw refuse("history", history, "a whole number from 0 to 100000");
  }
  if (historySeconds !== undefined && !(Number.isFinite(historySeconds) && historySeconds > 0)) {
    throw refuse("historySeconds", historySeconds, "a number above 0");
  }
  if (maxRate !== undefined && !(Number.isFinite(maxRate) && maxRate > 0 && maxRate <= 1000)) {
    throw refuse("maxRate", maxRate, "a number of writes per second above 0 and up to 1000");
  }
  if (events !== undefined && events !== "all" && events !== "latest") {
    throw refuse("events", events, '"all" or "latest"');
  }
  if (durability !== undefined && durability !== "engine" && durability !== "memory") {
    throw refuse("durability", durability, '"engine" or "memory"');
  }
  if (auto && !parsePattern(channels).literal) {
    throw invalidRule(`rule ${channels}: auto is set`, "Use auto only with the name of one channel.");
  }
  return {
    retention: {
      messages: history ?? DEFAULT_RULE.retention.messages,
      ageMs: historySeconds === undefined ? DEFAULT_RULE.retention.ageMs : historySeconds * 1000,
    },
    maxWritesPerSecond: maxRate ?? null,
    events: events ?? "all",
    durability: durability ?? "engine",
    auto: auto ?? false,
    presence: toPresence(channels, options.presence, refuse),
  };
}

function toPresence(
  channels: string,
  presence: RuleOptions["presence"],
  refuse: (name: string, value: unknown, wanted: string) => FanfareError,
): PresenceRule | null {
  if (presence === undefined || presence === false) return null;
  if (presence === true) return DEFAULT_PRESENCE;
  if (typeof presence !== "object" || presence === null) {
    throw refuse("presence", presence, "true, false or { maxListed, intervalSeconds }");
  }
  checkOptions(`rule ${channels}: presence`, presence, PRESENCE_MEMBERS);
  const { maxListed = DEFAULT_PRESENCE.maxListed, intervalSeconds = DEFAULT_PRESENCE.intervalMs / 1000 } =
    presence;
  if (!(Number.isInteger(maxListed) && maxListed >= 0 && maxListed <= 100_000)) {
    throw refuse("presence.maxListed", maxListed, "a whole number from 0 to 100000");
  }
  if (!(Number.isFinite(intervalSeconds) && intervalSeconds >= 0.1 && intervalSeconds <= 60)) {
    throw refuse("presence.intervalSeconds", intervalSeconds, "a number of seconds from 0.1 to 60");
  }
  return { maxListed, intervalMs: intervalSeconds * 1000 };
}

function invalidRule(message: string, remedy: string): FanfareError {
  return new FanfareError("invalid_rule", message, { remedy });
}
