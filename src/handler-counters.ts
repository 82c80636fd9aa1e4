/** Counters that handlers add to `/metrics`, under names and labels that the configuration chooses. */
import { Counter, type Registry } from 'prom-client';

export interface HandlerCounterOptions {
  /** The complete name, such as `pod_back_offs_total`. */
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  /** The id of the handler that counts. */
  readonly handler: string;
}

/** A reload of the configuration does not set it back, as long as a handler uses it. */
export interface HandlerCounter {
  /**
   * Counts 1. Beyond 1,000 combinations of values, a new one is counted with the value `other` in every label.
   * @param values one for each label
   * @returns whether it was counted under its own values
   */
  add(values: Readonly<Record<string, string>>): boolean;
  /** To be called when the handler stops: only then may others use the name with other labels. */
  release(): void;
}

export interface CounterFactory {
  /**
   * Handlers that use the same name and labels share a counter.
   * @throws Error if another handler uses the name with other labels, which Prometheus clients do not allow, or the service itself does
   */
  counter(options: HandlerCounterOptions): HandlerCounter;
}

/** Bounds the memory of the service and of Prometheus, should a label hold something that is different each time. */
const MAX_SERIES = 1_000;
const OTHER = 'other';

export class HandlerCounters implements CounterFactory {
  readonly #registry: Registry;
  readonly #counters = new Map<string, SharedCounter>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  counter(options: HandlerCounterOptions): HandlerCounter {
    const { name, labelNames, handler } = options;
    const existing = this.#counters.get(name);
    if (existing?.hasLabels(labelNames) === true) return existing.shareWith(handler);
    const [other] = existing?.usersExcept(handler) ?? [];
    if (other !== undefined) throw new Error(`${other} already counts "${name}" with other labels`);
    if (existing !== undefined) this.#registry.removeSingleMetric(name);
    const counter = new SharedCounter(options, this.#registry);
    this.#counters.set(name, counter);
    return counter.shareWith(handler);
  }

  /** To be called after a reload, which stops handlers before it makes those that go on counting. */
  removeUnused(): void {
    for (const [name, counter] of this.#counters) {
      if (counter.isUsed) continue;
      this.#counters.delete(name);
      this.#registry.removeSingleMetric(name);
    }
  }
}

class SharedCounter {
  readonly #counter: Counter;
  readonly #labelNames: readonly string[];
  readonly #users = new Set<string>();
  readonly #series = new Set<string>();

  constructor({ name, help, labelNames }: HandlerCounterOptions, registry: Registry) {
    this.#labelNames = labelNames.toSorted();
    this.#counter = new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
  }

  hasLabels(labelNames: readonly string[]): boolean {
    return labelNames.toSorted().join() === this.#labelNames.join();
  }

  get isUsed(): boolean {
    return this.#users.size > 0;
  }

  usersExcept(handler: string): readonly string[] {
    return [...this.#users].filter((user) => user !== handler);
  }

  shareWith(handler: string): HandlerCounter {
    this.#users.add(handler);
    return { add: (values) => this.#add(values), release: () => void this.#users.delete(handler) };
  }

  #add(values: Readonly<Record<string, string>>): boolean {
    const series = JSON.stringify(this.#labelNames.map((name) => values[name]));
    const fits = this.#series.has(series) || this.#series.size < MAX_SERIES;
    if (fits) this.#series.add(series);
    this.#counter.inc(fits ? values : Object.fromEntries(this.#labelNames.map((name) => [name, OTHER])));
    return fits;
  }
}
