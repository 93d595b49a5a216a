/** Metrics for Prometheus that are set from a reading whenever somebody asks. Does not know what they are about. */
import { Counter, Gauge, Registry } from "prom-client";

export class MetricsRegistry<Reading> {
  readonly #registry = new Registry();
  /** The function that sets each metric. */
  readonly #setters: ((reading: Reading) => void)[] = [];

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(reading: Reading): Promise<string> {
    for (const set of this.#setters) set(reading);
    return this.#registry.metrics();
  }

  /** Called when the metrics that were named before it have been set. */
  afterwards(call: () => void): void {
    this.#setters.push(call);
  }

  /** A metric that goes up and down; not shown while it is not known. */
  gauge(name: string, help: string, value: (reading: Reading) => number | undefined): void {
    const gauge = new Gauge({ name: `fanfare_${name}`, help, registers: [this.#registry] });
    this.#setters.push((reading) => {
      const now = value(reading);
      if (now === undefined) gauge.remove();
      else gauge.set(now);
    });
  }

  /** MetricsRegistry that go up and down, one for each member of an object; not shown while they are not known. */
  gaugesBy(
    label: string,
    name: string,
    help: string,
    values: (reading: Reading) => object | undefined,
  ): void {
    const gauge = new Gauge({
      name: `fanfare_${name}`,
      help,
      labelNames: [label],
      registers: [this.#registry],
    });
    this.#setters.push((reading) => {
      gauge.reset();
      for (const [member, value] of Object.entries(values(reading) ?? {}))
        gauge.set({ [label]: member }, value);
    });
  }

  /** MetricsRegistry that only grow, one for each member of an object. */
  countersBy(label: string, name: string, help: string, counts: (reading: Reading) => object): void {
    const registers = [this.#registry];
    const counter = new Counter({ name: `fanfare_${name}`, help, labelNames: [label], registers });
    this.#setters.push((reading) => {
      counter.reset();
      for (const [member, count] of Object.entries(counts(reading))) counter.inc({ [label]: member }, count);
    });
  }

  /** A metric that only grows. */
  counter(name: string, help: string, value: (reading: Reading) => number): void {
    const counter = new Counter({ name: `fanfare_${name}`, help, registers: [this.#registry] });
    this.#setters.push((reading) => {
      counter.reset();
      counter.inc(value(reading));
    });
  }
}
