/** Evidence from the cluster: a few small requests at a limited rate, and no harm if one fails. */
import type { Manifest } from '../change.ts';
import type { Clock } from '../clock.ts';
import { RateLimit } from '../delivery/rate-limit.ts';
import { toError, WaitError } from '../errors.ts';
import { lastOccurredAt, occurrencesOf } from '../event.ts';
import type { Logger } from '../log.ts';
import { beginningOf } from '../text/printable.ts';
import type { ApiClient, ApiResponse, Query } from '../source/api.ts';
import type { Store } from '../store/store.ts';
import { recordedEvidence, type ContainerLog, type EventLine, type Evidence } from './evidence.ts';

export interface EvidenceOptions {
  readonly api: Pick<ApiClient, 'host' | 'request'>;
  readonly store: Pick<Store, 'history' | 'baseline'>;
  /** Current names of secret environment variables: they may change while the service runs. */
  readonly secretNames: () => readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
}

const TIMEOUT_MS = 2_000;
/** Above this rate alerts go without evidence: a storm of alerts must not become one of requests. */
const PER_SECOND = 10;
const BURST = 40;
/** More than the few dozen Events of an object: all are needed, as a list is not sorted. */
const MAX_EVENTS = 200;
/** The API server accepts 1,024; messages from elsewhere may be longer. */
const MAX_MESSAGE_CHARS = 1_024;
/** The API server counts from the first of the requested lines: what is beyond this is their end. */
const MAX_READ_LOG_BYTES = 128 * 1024;
const MAX_LOG_BYTES = 16 * 1024;
/** A missing role may be granted later. */
const FORBIDDEN_FOR_MS = 600_000;
const MAX_FORBIDDEN = 1_000;

export function createEvidence(options: EvidenceOptions): Evidence {
  const recorded = recordedEvidence(options.store, options.secretNames);
  const cluster = new ClusterEvidence(options, (text) => recorded.redacted(text));
  return {
    ...recorded,
    eventsOf: (object, limit, signal) => cluster.eventsOf(object, limit, signal),
    logTail: (container, signal) => cluster.logTail(container, signal),
  };
}

class ClusterEvidence {
  readonly #options: EvidenceOptions;
  readonly #limit: RateLimit;
  /** Until when not to ask, by namespace and forbidden resource. */
  readonly #forbidden = new Map<string, number>();
  readonly #redact: (text: string) => string;

  constructor(options: EvidenceOptions, redacted: (text: string) => string) {
    this.#options = options;
    this.#redact = redacted;
    this.#limit = new RateLimit(options.clock);
    this.#limit.addLimit(PER_SECOND, BURST);
  }

  async eventsOf(
    { namespace, uid }: Parameters<Evidence['eventsOf']>[0],
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly EventLine[]> {
    const query = { fieldSelector: `involvedObject.uid=${uid}`, limit: MAX_EVENTS };
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const body = await this.#get({ what: 'events', namespace, path, query }, signal);
    if (body === undefined) return [];
    const events = itemsOf(body).map((event) => this.#lineOf(event));
    return events.toSorted((a, b) => a.time.localeCompare(b.time)).slice(-limit);
  }

  async logTail(
    { namespace, pod, container, previous, lines }: ContainerLog,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const query = { container, previous, tailLines: lines, limitBytes: MAX_READ_LOG_BYTES };
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log`;
    const body = await this.#get({ what: 'pods/log', namespace, path, query }, signal);
    if (body === undefined) return undefined;
    const text = body.subarray(-MAX_READ_LOG_BYTES).toString('utf8').trimEnd();
    // Redacted before it is cut, like a message.
    return text === '' ? undefined : endOf(this.#redact(text), MAX_LOG_BYTES);
  }

  /** Undefined if nothing is available. */
  async #get({ what, namespace, path, query }: EvidenceRequest, signal: AbortSignal): Promise<Buffer | undefined> {
    const { api, clock, log } = this.#options;
    const key = `${namespace} ${what}`;
    if ((this.#forbidden.get(key) ?? -Infinity) > clock.monotonic() || !this.#isWithinRate(key)) return undefined;
    let response: ApiResponse;
    try {
      response = await api.request('GET', path, { query, signal, timeoutMs: TIMEOUT_MS });
    } catch (thrown) {
      log.debug('Cannot get evidence for an alert', { what, namespace, error: toError(thrown).message });
      return undefined;
    }
    if (response.status === 200) return response.body;
    if (response.status === 403) this.#forbid(key);
    log.debug('Cannot get evidence for an alert', { what, namespace, status: response.status });
    return undefined;
  }

  #isWithinRate(key: string): boolean {
    try {
      this.#limit.take(key, false);
      return true;
    } catch (thrown) {
      if (thrown instanceof WaitError) return false;
      throw thrown;
    }
  }

  #forbid(key: string): void {
    if (this.#forbidden.size >= MAX_FORBIDDEN) this.#forbidden.clear();
    this.#forbidden.set(key, this.#options.clock.monotonic() + FORBIDDEN_FOR_MS);
  }

  #lineOf(event: Manifest): EventLine {
    const text = (field: string) => (typeof event[field] === 'string' ? event[field] : '');
    return {
      time: new Date(lastOccurredAt(event) ?? 0).toISOString(),
      type: text('type'),
      reason: text('reason'),
      // Redacted before it is cut: half a credential might not be recognised.
      message: beginningOf(this.#redact(text('message')), MAX_MESSAGE_CHARS),
      count: occurrencesOf(event),
    };
  }
}

interface EvidenceRequest {
  /** Its name in roles. */
  readonly what: string;
  readonly namespace: string;
  readonly path: string;
  readonly query: Query;
}

/** Its last lines that fit, or the end of the last one. */
function endOf(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const end = bytes.subarray(-maxBytes - 1).toString('utf8');
  const lineEnd = end.indexOf('\n');
  if (lineEnd !== -1) return end.slice(lineEnd + 1);
  // Without what is left of a character that was cut.
  return bytes
    .subarray(-maxBytes)
    .toString('utf8')
    .replace(/^\ufffd+/, '');
}

/** Empty if it is not a list, such as the login page of a proxy. */
function itemsOf(body: Buffer): readonly Manifest[] {
  try {
    const { items } = JSON.parse(body.toString('utf8')) as { readonly items?: unknown };
    if (!Array.isArray(items)) return [];
    return items.filter((item): item is Manifest => typeof item === 'object' && item !== null && 'metadata' in item);
  } catch {
    return [];
  }
}
