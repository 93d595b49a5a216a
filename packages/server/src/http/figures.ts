/** What the figures of `{path}/metrics` are: read from the hub, the engine and the process whenever somebody asks. */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, Registry } from "prom-client";
import type { Refusals } from "../access/refusals.js";
import type { Hub } from "../hub/hub.js";
import type { Limits } from "../hub/limits.js";
import { BOUNDS, type Bound } from "./bounds.js";
import { durationsText } from "./durations-text.js";
import { type Reading, readAll } from "./scrape.js";

const FLUSH_HELP =
  "How long a flush took: encoding what is new, and writing it to all subscriptions that keep up.";
const COMMIT_HELP = "How long it took to bring to the disk what was published meanwhile.";

export class Metrics {
  readonly #hub: Hub;
  readonly #refusals: Refusals;
  readonly #registry = new Registry();
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });
  /** What sets each figure from a reading. */
  readonly #figures: ((reading: Reading) => void)[] = [];

  constructor(hub: Hub, refusals: Refusals) {
    this.#hub = hub;
    this.#refusals = refusals;
    this.#loopDelay.enable();
    this.#bounds();
    this.#work();
    this.#refused();
    this.#process();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** @throws FanfareError `unavailable` */
  async text(): Promise<string> {
    const engine = (await this.#hub.engine.stats?.()) ?? {};
    // From here on nothing waits, so that the figures of one scrape belong together.
    const reading = readAll(this.#hub, engine);
    for (const set of this.#figures) set(reading);
    const figures = await this.#registry.metrics();
    const flushes = durationsText("fanfare_flush_seconds", FLUSH_HELP, this.#hub.counters.flushes);
    const commits = engine.commits
      ? durationsText("fanfare_commit_seconds", COMMIT_HELP, engine.commits)
      : "";
    return figures + flushes + commits;
  }

  #bounds(): void {
    for (const [limit, { name, help, used }] of Object.entries(BOUNDS) as [keyof Limits, Bound][]) {
      if (used) this.#gauge(name, `${help}.`, (reading) => used(reading, this.#hub));
      const limitHelp = used
        ? `The bound of fanfare_${name} (limits.${limit}).`
        : `${help} (limits.${limit}).`;
      this.#gauge(`${name}_limit`, limitHelp, () => this.#hub.limits[limit]);
    }
  }

  #work(): void {
    const { counters, locks } = this.#hub;
    this.#counter("connections_opened_total", "Connections that came in.", () => counters.opened);
    const byDoor = new Gauge({
      name: "fanfare_door_connections",
      help: "Connections that are open, by the door that they came through.",
      labelNames: ["door"],
      registers: [this.#registry],
    });
    this.#figures.push((reading) => {
      byDoor.reset();
      for (const [door, count] of reading.byDoor) byDoor.set({ door }, count);
    });
    this.#gauge(
      "connections_full",
      "Connections that take nothing at the moment.",
      ({ hub }) => hub.fullConnections,
    );
    this.#gauge("subscriptions", "Subscriptions of all connections.", ({ subscriptions }) => subscriptions);
    this.#gauge(
      "subscriptions_lagging",
      "Subscriptions that are behind, new ones included.",
      ({ lagging }) => lagging,
    );
    this.#gauge(
      "lag_messages",
      "Messages that the subscription furthest behind has not been written.",
      ({ furthestBehind }) => furthestBehind,
    );
    this.#gauge("channels_listened", "Channels that this process listens to.", ({ hub }) => hub.channels);
    this.#gauge("history_messages", "Messages that all logs hold together.", ({ engine }) => engine.messages);
    this.#gauge(
      "sessions",
      "Sessions that are kept, of connections that live or may resume.",
      ({ engine }) => engine.sessions,
    );
    this.#gauge("disk_bytes", "Bytes of the files of the disk engine.", ({ engine }) => engine.diskBytes);
    this.#gauge(
      "disk_free_bytes",
      "Bytes that are free on the disk of these files.",
      ({ engine }) => engine.diskFreeBytes,
    );
    this.#gauge("deaf", "1 while this process may miss what others publish, else 0.", () =>
      Number(this.#hub.deaf),
    );
    this.#counter("published_total", "Messages appended through this process.", () => counters.published);
    this.#counter("published_bytes_total", "Bytes of their data as JSON.", () => counters.publishedBytes);
    this.#counter(
      "state_changes_total",
      "Changes of states appended through this process.",
      () => counters.stateChanges,
    );
    this.#gauge("locks_held", "Locks whose leases this process looks after.", () => locks.size);
    this.#counter("locks_taken_total", "Locks taken through this process.", () => counters.locksTaken);
    this.#counter(
      "locks_refused_total",
      "Calls that found a lock held by somebody else, or not held any more.",
      () => counters.locksRefused,
    );
    this.#counter(
      "leases_ended_total",
      "Leases of locks that ended without being renewed or let go.",
      () => counters.leasesEnded,
    );
    this.#counter(
      "numbers_total",
      "Numbers of sequences given through this process.",
      () => counters.numbers,
    );
    this.#counter("deliveries_total", "Messages handed to subscriptions.", () => counters.deliveries);
    this.#counter(
      "writes_total",
      "Writes of messages, states and gaps to connections.",
      () => counters.writes,
    );
    this.#counter("written_bytes_total", "Bytes of these writes.", () => counters.writtenBytes);
    this.#counter(
      "presence_frames_total",
      "Frames about who is present handed to connections.",
      () => counters.presenceFrames,
    );
    this.#countersBy(
      "reason",
      "gaps_total",
      "Holes in a channel that subscriptions were told of, by the reason; see the protocol, section 5.3.",
      counters.gaps,
    );
  }

  #refused(): void {
    const refusals = this.#refusals;
    this.#counter(
      "log_ins_refused_total",
      "Keys, tokens and sessions that were not accepted, or not any more.",
      () => refusals.logIns,
    );
    this.#countersBy(
      "action",
      "actions_refused_total",
      "What callers wanted to do and may not, by the action.",
      refusals.actions,
    );
    this.#countersBy(
      "rate",
      "rate_limited_total",
      "What was too much at once, by the rate that was exceeded (rates of the configuration).",
      refusals.rates,
    );
    this.#countersBy(
      "code",
      "entrance_refused_total",
      "Requests and connections that were refused whoever they are from: by their host, their page, or since there is no room.",
      refusals.atTheDoor,
    );
  }

  #process(): void {
    const seconds = (nanoseconds: number) => nanoseconds / 1e9;
    for (const [name, percent] of [
      ["p50", 50],
      ["p99", 99],
    ] as const) {
      this.#gauge(
        `eventloop_delay_${name}_seconds`,
        `How late the event loop was in ${percent} % of the cases at most, since the last scrape.`,
        () => (this.#loopDelay.count > 0 ? seconds(this.#loopDelay.percentile(percent)) : 0),
      );
    }
    this.#figures.push(() => this.#loopDelay.reset());
    this.#counter(
      "process_cpu_user_seconds_total",
      "Seconds of CPU that the process used itself.",
      ({ cpu }) => cpu.user / 1e6,
    );
    this.#counter(
      "process_cpu_system_seconds_total",
      "Seconds of CPU that the kernel used for the process.",
      ({ cpu }) => cpu.system / 1e6,
    );
    this.#gauge(
      "process_resident_bytes",
      "Memory that the process takes of the machine.",
      ({ memory }) => memory.rss,
    );
    this.#gauge(
      "process_heap_bytes",
      "JavaScript objects in memory, including what is not collected yet.",
      ({ memory }) => memory.heapUsed,
    );
    this.#gauge(
      "process_external_bytes",
      "Memory of buffers, outside the JavaScript heap.",
      ({ memory }) => memory.external,
    );
  }

  /** A figure that goes up and down; not shown while it is not known. */
  #gauge(name: string, help: string, value: (reading: Reading) => number | undefined): void {
    const gauge = new Gauge({ name: `fanfare_${name}`, help, registers: [this.#registry] });
    this.#figures.push((reading) => {
      const now = value(reading);
      if (now === undefined) gauge.remove();
      else gauge.set(now);
    });
  }

  /** Figures that only grow, one for each member of an object. */
  #countersBy(label: string, name: string, help: string, counts: Readonly<Record<string, number>>): void {
    const registers = [this.#registry];
    const counter = new Counter({ name: `fanfare_${name}`, help, labelNames: [label], registers });
    this.#figures.push(() => {
      counter.reset();
      for (const [member, count] of Object.entries(counts)) counter.inc({ [label]: member }, count);
    });
  }

  /** A figure that only grows. */
  #counter(name: string, help: string, value: (reading: Reading) => number): void {
    const counter = new Counter({ name: `fanfare_${name}`, help, registers: [this.#registry] });
    this.#figures.push((reading) => {
      counter.reset();
      counter.inc(value(reading));
    });
  }
}
