/** Sends spans to a collector: in batches, bounded, and without ever holding anything up. */
import { pause, type Clock } from '../clock.ts';
import type { TracingConfig } from '../config/config.ts';
import type { ReceiverOptions } from '../delivery/receiver.ts';
import type { Receivers } from '../delivery/receivers.ts';
import { secretsOf } from '../delivery/scrub.ts';
import { urlBelow } from '../delivery/url-below.ts';
import { codeOf, toError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { otlpJson } from './otlp.ts';
import { refusedIn, type Refused } from './partial-success.ts';
import type { Span } from './span.ts';

export interface ExporterOptions {
  readonly config: TracingConfig;
  readonly clusterName: string;
  readonly receivers: Pick<Receivers, 'sendOnce'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** OpenTelemetry's own defaults (OTEL_BSP_SCHEDULE_DELAY, _MAX_EXPORT_BATCH_SIZE, _MAX_QUEUE_SIZE). */
const EVERY_MS = 5_000;
const MAX_BATCH = 512;
const MAX_QUEUE = 2_048;
const TIMEOUT_MS = 10_000;
/** For all that is left at the stop: the Lease is handed over after it, and a pod has 30 s in all. */
const LAST_MS = 2_000;

export class Exporter {
  readonly #options: ExporterOptions;
  readonly #url: URL;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #queue: Span[] = [];
  #failing = false;
  #refusing = false;

  constructor(options: ExporterOptions) {
    this.#options = options;
    this.#url = urlBelow(options.config.endpoint, 'v1/traces');
    this.#running = this.#run();
  }

  /** Drops the oldest span if there are too many. */
  add(span: Span): void {
    this.#queue.push(span);
    if (this.#queue.length <= MAX_QUEUE) return;
    this.#queue.shift();
    this.#options.metrics.spans.inc({ outcome: 'dropped' });
  }

  /** Tries once to send the rest, for 2 s. Idempotent; never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await pause(this.#options.clock, EVERY_MS, signal);
      if (!signal.aborted) await this.#sendAll(signal, TIMEOUT_MS);
    }
    await this.#sendLast();
  }

  /** The last spans come from chains that drained. */
  async #sendLast(): Promise<void> {
    const { clock, log } = this.#options;
    const late = new AbortController();
    const cancel = clock.after(LAST_MS, () => late.abort());
    await this.#sendAll(late.signal, LAST_MS);
    cancel();
    if (this.#queue.length > 0) log.warn('Not all traces were sent before the stop', { spans: this.#queue.length });
  }

  async #sendAll(signal: AbortSignal, timeoutMs: number): Promise<void> {
    let isHealthy = true;
    while (isHealthy && this.#queue.length > 0) {
      isHealthy = await this.#send(this.#queue.splice(0, MAX_BATCH), signal, timeoutMs);
    }
  }

  /** Returns whether the collector accepted them. */
  async #send(spans: readonly Span[], signal: AbortSignal, timeoutMs: number): Promise<boolean> {
    const { receivers, clusterName, metrics, log, clock, config } = this.#options;
    const secrets = Object.values(config.headers).flatMap(secretsOf);
    let refused: Refused | undefined;
    const accept: ReceiverOptions['accept'] = ({ body }) => {
      refused = refusedIn(body);
    };
    const receiver = { name: 'tracing', url: this.#url, timeoutMs, secrets, accept, needsBody: false };
    const headers = { ...config.headers, 'content-type': 'application/json' };
    const idempotencyKey = `tracing ${clock.now()}`;
    try {
      await receivers.sendOnce(receiver, { headers, body: otlpJson(spans, clusterName), idempotencyKey, signal });
    } catch (thrown) {
      // A stop aborts the request under way; its spans are sent again by #sendLast(), so there is nothing to warn of.
      if (signal.aborted) this.#queue = [...spans, ...this.#queue];
      else this.#requeue(spans, toError(thrown));
      return false;
    }
    const dropped = Math.min(refused?.spans ?? 0, spans.length);
    metrics.spans.inc({ outcome: 'sent' }, spans.length - dropped);
    this.#reportRefused(refused, dropped);
    if (this.#failing) log.info('Sending traces works again');
    this.#failing = false;
    return true;
  }

  /** A refusal within a success is final. Logs once until all is accepted again. */
  #reportRefused(refused: Refused | undefined, dropped: number): void {
    const { metrics, log } = this.#options;
    if (dropped > 0) metrics.spans.inc({ outcome: 'dropped' }, dropped);
    if (refused !== undefined && !this.#refusing)
      log.warn('The trace collector accepts spans with reservations', { refused: dropped, problem: refused.problem });
    this.#refusing = refused !== undefined;
  }

  /** Keeps the spans for another try, if that may help and as far as there is room. Logs once until it works again. */
  #requeue(spans: readonly Span[], error: Error): void {
    const { metrics, log } = this.#options;
    if (!this.#failing) log.warn('Cannot send traces, trying again', { problem: error.message });
    this.#failing = true;
    const room = codeOf(error) === 'TERMINAL' ? 0 : MAX_QUEUE - this.#queue.length;
    const kept = room <= 0 ? [] : spans.slice(-room);
    this.#queue = [...kept, ...this.#queue];
    metrics.spans.inc({ outcome: 'dropped' }, spans.length - kept.length);
  }
}
