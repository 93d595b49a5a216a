/** The figures of `{path}/metrics`, read from the hub, the engine and the process at each scrape. */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { Limits } from "../hub/terms/limits.js";
import { BOUNDS, type Bound, type Sources } from "./bounds.js";
import { durationsText } from "./durations-text.js";
import { MetricsRegistry } from "./registry.js";
import { type Reading, readAll } from "./scrape.js";

const FLUSH_HELP =
  "How long a flush took: encoding what is new, and writing it to all subscriptions that keep up.";
const COMMIT_HELP = "How long it took to bring to the disk what was published meanwhile.";

export class Metrics {
  readonly #sources: Sources;
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });
  readonly #registry = new MetricsRegistry<Reading>();

  constructor(sources: Sources) {
    this.#sources = sources;
    this.#loopDelay.enable();
    this.#bounds();
    this.#work();
    this.#refused();
    this.#memory();
    this.#process();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** @throws FanfareError `unavailable` */
  async text(): Promise<string> {
    const reading = await readAll(this.#sources.hub);
    const { engine } = reading;
    const text = await this.#registry.text(reading);
    const flushes = durationsText("fanfare_flush_seconds", FLUSH_HELP, this.#sources.hub.counters.flushes);
    const commits = engine.commits
      ? durationsText("fanfare_commit_seconds", COMMIT_HELP, engine.commits)
      : "";
    return text + flushes + commits;
  }

  #bounds(): void {
    for (const [limit, { name, help, used }] of Object.entries(BOUNDS) as [keyof Limits, Bound][]) {
      if (used) this.#registry.gauge(name, `${help}.`, (reading) => used(reading, this.#sources));
      const limitHelp = used
        ? `The bound of fanfare_${name} (limits.${limit}).`
        : `${help} (limits.${limit}).`;
      this.#registry.gauge(`${name}_limit`, limitHelp, () => this.#sources.hub.limits[limit]);
    }
  }

  #work(): void {
    const { hub, locks } = this.#sources;
    const { counters } = hub;
    this.#registry.counter("connections_opened_total", "Connections that came in.", () => counters.opened);
    this.#registry.gaugesBy(
      "door",
      "door_connections",
      "Connections that are open, by the door that they came through.",
      ({ byDoor }) => Object.fromEntries(byDoor),
    );
    this.#registry.gauge(
      "connections_full",
      "Clients that take nothing at the moment: connections, and sockets with answers over HTTP.",
      ({ hub }) => hub.fullConnections,
    );
    this.#registry.gauge(
      "subscriptions",
      "Subscriptions of all connections.",
      ({ subscriptions }) => subscriptions,
    );
    this.#registry.gauge(
      "subscriptions_lagging",
      "Subscriptions that are behind, new ones included.",
      ({ lagging }) => lagging,
    );
    this.#registry.gauge(
      "lag_messages",
      "Messages that the subscription furthest behind has not been written.",
      ({ furthestBehind }) => furthestBehind,
    );
    this.#registry.gauge(
      "channels_listened",
      "Channels that this process listens to.",
      ({ hub }) => hub.channels,
    );
    this.#registry.gauge(
      "history_messages",
      "Messages that all logs hold together.",
      ({ engine }) => engine.messages,
    );
    this.#registry.gauge(
      "disk_bytes",
      "Bytes of the files of the disk engine.",
      ({ engine }) => engine.diskBytes,
    );
    this.#registry.gauge(
      "disk_free_bytes",
      "Bytes that are free on the disk of these files.",
      ({ engine }) => engine.diskFreeBytes,
    );
    this.#registry.gaugesBy(
      "kind",
      "owned",
      "Things that users and addresses own together: channels, states, bytes of states, sequences, locks.",
      ({ engine }) => engine.owned,
    );
    this.#registry.gauge("deaf", "1 while this process may miss what others publish, else 0.", () =>
      Number(this.#sources.hub.deaf),
    );
    this.#registry.counter(
      "published_total",
      "Messages appended through this process.",
      () => counters.published,
    );
    this.#registry.counter(
      "published_bytes_total",
      "Bytes of their data as JSON.",
      () => counters.publishedBytes,
    );
    this.#registry.counter(
      "state_changes_total",
      "Changes of states appended through this process.",
      () => counters.stateChanges,
    );
    this.#registry.gauge("locks_held", "Locks whose leases this process looks after.", () => locks.size);
    this.#registry.counter(
      "locks_taken_total",
      "Locks taken through this process.",
      () => counters.locksTaken,
    );
    this.#registry.counter(
      "locks_refused_total",
      "Calls that found a lock held by somebody else, or not held any more.",
      () => counters.locksRefused,
    );
    this.#registry.counter(
      "leases_ended_total",
      "Leases of locks that ended without being renewed or let go.",
      () => counters.leasesEnded,
    );
    this.#registry.counter(
      "numbers_total",
      "Numbers of sequences given through this process.",
      () => counters.numbers,
    );
    this.#registry.counter(
      "deliveries_total",
      "Messages handed to subscriptions.",
      () => counters.deliveries,
    );
    this.#registry.counter(
      "writes_total",
      "Writes of messages, states and gaps to connections.",
      () => counters.writes,
    );
    this.#registry.counter("written_bytes_total", "Bytes of these writes.", () => counters.writtenBytes);
    this.#registry.counter(
      "presence_frames_total",
      "Frames about who is present handed to connections.",
      () => counters.presenceFrames,
    );
    this.#registry.countersBy(
      "reason",
      "gaps_total",
      "Holes in a channel that subscriptions were told of, by the reason; see the protocol, section 5.3.",
      () => counters.gaps,
    );
  }

  #memory(): void {
    const { memory } = this.#sources.hub;
    this.#registry.gauge(
      "memory_heap_bytes",
      "Bytes that live on the heap, as far as the server can tell without collecting; it goes by them.",
      () => memory.reading().heapBytes,
    );
    this.#registry.gauge("memory_heap_bytes_limit", "Bytes that may live there.", () =>
      finite(memory.room.heapBytes),
    );
    this.#registry.gauge("memory_outside_bytes_limit", "Bytes that buffers may take beside the heap.", () =>
      finite(memory.room.outsideBytes),
    );
    this.#registry.gauge("memory_counted_bytes", "Bytes of the heap that are counted.", () =>
      this.#sources.hub.countedBytes(),
    );
    this.#registry.gauge("memory_full", "1 while publishers and newcomers are refused, else 0.", () =>
      Number(memory.full),
    );
    this.#registry.countersBy(
      "what",
      "memory_refused_total",
      "Calls that were refused because the memory was full.",
      () => memory.refused,
    );
  }

  #refused(): void {
    const refusals = this.#sources.refusals;
    this.#registry.counter(
      "log_ins_refused_total",
      "Keys, tokens and sessions that were not accepted, or not any more.",
      () => refusals.logIns,
    );
    this.#registry.countersBy(
      "action",
      "actions_refused_total",
      "Calls that were refused because the caller may not do them, by the action.",
      () => refusals.actions,
    );
    this.#registry.countersBy(
      "rate",
      "rate_limited_total",
      "Calls that were too much at once, by the rate that was exceeded (rates of the configuration).",
      () => refusals.rates,
    );
    this.#registry.countersBy(
      "kind",
      "shares_used_up_total",
      "Calls that were refused because the user or address has as much as one may have, by the kind (limits.…PerOwner).",
      ({ engine }) => ({ ...engine.refusedShares, ...this.#sources.hub.listening.refused }),
    );
    this.#registry.countersBy(
      "code",
      "entrance_refused_total",
      "Requests and connections that were refused before any log-in: for their host, their page, or for want of room.",
      () => refusals.atTheDoor,
    );
    this.#registry.countersBy(
      "reason",
      "packets_refused_total",
      "Frames and packets of clients that could not be read, or were too large, by the reason; their connections are closed.",
      () => refusals.packets,
    );
    this.#registry.countersBy(
      "caller",
      "callback_failures_total",
      "Mistakes of the server itself, by who called it: a door, http, a timer, the hub. Their clients are closed; the log says why.",
      () => this.#sources.hub.failures.counts,
    );
  }

  #process(): void {
    const seconds = (nanoseconds: number) => nanoseconds / 1e9;
    for (const [name, percent] of [
      ["p50", 50],
      ["p99", 99],
    ] as const) {
      this.#registry.gauge(
        `eventloop_delay_${name}_seconds`,
        `How late the event loop was in ${percent} % of the cases at most, since the last scrape.`,
        () => (this.#loopDelay.count > 0 ? seconds(this.#loopDelay.percentile(percent)) : 0),
      );
    }
    this.#registry.afterwards(() => this.#loopDelay.reset());
    this.#registry.counter(
      "process_cpu_user_seconds_total",
      "Seconds of CPU that the process used itself.",
      ({ cpu }) => cpu.user / 1e6,
    );
    this.#registry.counter(
      "process_cpu_system_seconds_total",
      "Seconds of CPU that the kernel used for the process.",
      ({ cpu }) => cpu.system / 1e6,
    );
    this.#registry.gauge(
      "process_resident_bytes",
      "Memory that the process takes of the machine.",
      ({ memory }) => memory.rss,
    );
    this.#registry.gauge(
      "process_heap_bytes",
      "JavaScript objects in memory, including what is not collected yet.",
      ({ memory }) => memory.heapUsed,
    );
    this.#registry.gauge(
      "process_external_bytes",
      "Memory of buffers, outside the JavaScript heap.",
      ({ memory }) => memory.external,
    );
  }
}

/** Unbounded things have no figure. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}
