/** Looks up one object: in a baseline, else by one GET, cached, at a limited rate. */
import type { Clock } from '../clock.ts';
import { RateLimit } from '../delivery/rate-limit.ts';
import { RetryAfterError, toError, WaitError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ApiClient, ApiResponse } from '../source/api.ts';
import { retryAfterMs } from '../retry-after.ts';
import { MAX_RETRY_AFTER_MS } from '../source/failure.ts';
import type { Redactor } from '../source/redact.ts';
import { pathOf, resourceName } from '../source/resource-path.ts';
import type { Resource } from '../source/source.ts';
import type { Store } from '../store/store.ts';
import { factsOf, uidInEvents, UNKNOWN, type ObjectFacts, type ObjectReference } from './involved.ts';
import type { Kinds } from './kinds.ts';
import { isFresh, ObjectCache } from './object-cache.ts';

export interface LookupOptions {
  readonly api: Pick<ApiClient, 'host' | 'request'>;
  readonly kinds: Pick<Kinds, 'resourceOf'>;
  readonly store: Pick<Store, 'baseline'>;
  /** The current rules, which may change while the service runs. */
  readonly redactor: () => Redactor;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Requests per second on average; `burst` is the number at once. */
  readonly perSecond: number;
  readonly burst: number;
}

/** A change that would have to wait longer is parked, so that it holds no slot. */
const MAX_HOLD_MS = 1_000;
const TIMEOUT_MS = 5_000;
const MAX_REPORTED = 1_000;
/** Requests only the metadata, so a Secret's data is not sent. Old proxies return the whole object. */
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
/** No object can have these names, but an Event may claim so: in a URL they lead to the list of all, or to the namespace. */
const INVALID_NAMES: readonly string[] = ['.', '..'];
const GONE: ObjectFacts = { ...UNKNOWN, deleted: true, known: true };

export class ObjectLookup {
  readonly #options: LookupOptions;
  readonly #cache = new ObjectCache();
  readonly #limit: RateLimit;
  readonly #inFlight = new Map<string, Promise<ObjectFacts>>();
  readonly #reported = new Set<string>();

  constructor(options: LookupOptions) {
    this.#options = options;
    this.#limit = new RateLimit(options.clock);
    this.#limit.addLimit(options.perSecond, options.burst);
  }

  /**
   * If the name now belongs to an object with another uid, the one asked for is gone. An object that is forbidden or not served
   * is unknown, which is not an error.
   * @throws WaitError to wait for its turn; RetryAfterError if the server fails or does not answer
   */
  async find(reference: ObjectReference, signal: AbortSignal): Promise<ObjectFacts> {
    const { kinds, store, redactor } = this.#options;
    const resource = await kinds.resourceOf(reference);
    if (resource === undefined) return this.#unknown(`${reference.apiVersion} ${reference.kind}`, 'unknown kind');
    if (INVALID_NAMES.includes(reference.name)) return this.#countOutcome('gone', GONE);
    const namespace = resource.namespaced ? (reference.namespace ?? 'default') : '';
    const key = namespace === '' ? reference.name : `${namespace}/${reference.name}`;
    const held = await store.baseline(resource.group, resource.resource, key);
    const facts = held === undefined ? undefined : factsIn(held, reference.uid);
    if (facts !== undefined) return this.#countOutcome('baseline', facts);
    // Facts cached under other rules may show what these hide.
    const rules = redactor().fingerprint;
    const id = `${resource.group}/${resource.resource}/${key}/${reference.uid ?? ''} ${rules}`;
    return this.#fetchCached({ id, resource, namespace, reference }, signal);
  }

  async #fetchCached(lookup: Lookup, signal: AbortSignal): Promise<ObjectFacts> {
    const { clock } = this.#options;
    for (;;) {
      const cached = this.#cache.get(lookup.id);
      if (cached !== undefined && isFresh(cached, clock.monotonic())) return this.#countOutcome('cache', cached.facts);
      const inFlight = this.#inFlight.get(lookup.id);
      if (inFlight !== undefined) return inFlight;
      // A caller with an old answer would not come back for its turn, but others would wait behind it.
      const waitMs = this.#waitMs(lookup.id, cached === undefined);
      if (waitMs === 0) return this.#startRequest(lookup);
      if (cached !== undefined) return this.#countOutcome('cache', cached.facts);
      if (waitMs > MAX_HOLD_MS)
        throw new WaitError(clock.steady() + waitMs, 'Waiting for the rate of [lookup], or of the API server');
      await clock.sleep(waitMs, signal);
    }
  }

  /** Time until the turn of this object, which is reserved if it lines up; 0 if the turn is now and has been taken. */
  #waitMs(id: string, lineUp: boolean): number {
    try {
      this.#limit.take(id, lineUp);
      return 0;
    } catch (thrown) {
      if (!(thrown instanceof WaitError)) throw thrown;
      return Math.max(1, thrown.until - this.#options.clock.steady());
    }
  }

  /** Concurrent callers for the same object share the answer. */
  #startRequest(lookup: Lookup): Promise<ObjectFacts> {
    const answer = this.#get(lookup).finally(() => this.#inFlight.delete(lookup.id));
    this.#inFlight.set(lookup.id, answer);
    return answer;
  }

  async #get({ id, resource, namespace, reference }: Lookup): Promise<ObjectFacts> {
    const { api, clock } = this.#options;
    const path = `${pathOf(resource, namespace)}/${encodeURIComponent(reference.name)}`;
    let response: ApiResponse;
    try {
      response = await api.request('GET', path, { accept: METADATA, timeoutMs: TIMEOUT_MS });
    } catch (cause) {
      this.#options.metrics.lookups.inc({ outcome: 'failed' });
      throw new RetryAfterError(toError(cause).message, { cause });
    }
    const facts = this.#factsOf(response, resource, reference, path);
    this.#cache.set(id, facts, clock.monotonic());
    return facts;
  }

  #factsOf(response: ApiResponse, resource: Resource, { uid }: ObjectReference, path: string): ObjectFacts {
    const { api, clock, redactor, metrics } = this.#options;
    const { status, headers, body } = response;
    if (status === 200) {
      const facts = orRetryAfter(path, api.host, () => factsIn(redactor().forKind(resource)(body), uid) ?? GONE);
      return this.#countOutcome(facts === GONE ? 'gone' : 'found', facts);
    }
    if (status === 404) return this.#countOutcome('gone', GONE);
    if (status !== 401 && status !== 429 && status < 500) return this.#unknown(resourceName(resource), String(status));
    const requestedMs = retryAfterMs(headers['retry-after'], clock.now(), MAX_RETRY_AFTER_MS) || undefined;
    if (status === 429) this.#limit.block(requestedMs ?? MAX_HOLD_MS);
    metrics.lookups.inc({ outcome: 'failed' });
    throw new RetryAfterError(`Cannot GET ${path} on ${api.host}: it answered ${status}`, {
      retryAfterMs: requestedMs,
    });
  }

  /** Logged once per kind and reason, as it would be the same for each Event. */
  #unknown(what: string, reason: string): ObjectFacts {
    const { log } = this.#options;
    if (!this.#reported.has(`${what} ${reason}`) && this.#reported.size < MAX_REPORTED) {
      this.#reported.add(`${what} ${reason}`);
      const problem = reason === '403' ? 'forbidden: allow "get" on it' : reason;
      log.warn('Cannot look up objects: their labels, annotations and owners are unknown', { what, problem });
    }
    return this.#countOutcome('unknown', UNKNOWN);
  }

  #countOutcome(outcome: string, facts: ObjectFacts): ObjectFacts {
    this.#options.metrics.lookups.inc({ outcome });
    return facts;
  }
}

interface Lookup {
  readonly id: string;
  readonly resource: Resource;
  /** `""` for a cluster-scoped resource. */
  readonly namespace: string;
  readonly reference: ObjectReference;
}

/** Undefined if it is another object of the same name. @throws SyntaxError if it is not JSON */
function factsIn(manifest: Uint8Array, uid: string | undefined): ObjectFacts | undefined {
  const { metadata } = JSON.parse(Buffer.from(manifest).toString('utf8')) as { readonly metadata?: JsonObject };
  const facts = factsOf(metadata);
  const isSame = uid === undefined || metadata?.['uid'] === uid || uidInEvents(metadata) === uid;
  return isSame ? facts : undefined;
}

/** @throws RetryAfterError if it is not a manifest, such as the login page of a proxy */
function orRetryAfter<T>(path: string, host: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new RetryAfterError(`Cannot GET ${path} on ${host}: the answer is not a manifest`, { cause });
  }
}
