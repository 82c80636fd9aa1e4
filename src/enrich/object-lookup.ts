/** One object of the cluster: from a baseline that is held already, else from one GET, cached, at a limited rate. */
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
  /** Today's rules: they may change while the service runs. */
  readonly redactor: () => Redactor;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Requests per second on average, and at once. */
  readonly perSecond: number;
  readonly burst: number;
}

/** A change that would wait longer is parked: it holds no slot then. */
const HOLD_MS = 1_000;
const TIMEOUT_MS = 5_000;
const MAX_TOLD = 1_000;
/** The metadata is all that is asked for: a Secret's data never comes here. Old proxies give the whole object. */
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';
/** No object may be called so, but an Event may say it: in a URL they lead to the list of all, or to the namespace. */
const NO_NAMES: readonly string[] = ['.', '..'];
const GONE: ObjectFacts = { ...UNKNOWN, deleted: true, known: true };

export class ObjectLookup {
  readonly #options: LookupOptions;
  readonly #cache = new ObjectCache();
  readonly #limit: RateLimit;
  readonly #underWay = new Map<string, Promise<ObjectFacts>>();
  readonly #told = new Set<string>();

  constructor(options: LookupOptions) {
    this.#options = options;
    this.#limit = new RateLimit(options.clock);
    this.#limit.atMost(options.perSecond, options.burst);
  }

  /**
   * Of an object of another uid nothing is said but that the one asked for is gone. What is forbidden or not served is not
   * known, and no error.
   * @throws WaitError when its turn comes later; RetryAfterError when the server fails or does not answer
   */
  async find(reference: ObjectReference, signal: AbortSignal): Promise<ObjectFacts> {
    const { kinds, store, redactor } = this.#options;
    const resource = await kinds.resourceOf(reference);
    if (resource === undefined) return this.#unknown(`${reference.apiVersion} ${reference.kind}`, 'no such kind');
    if (NO_NAMES.includes(reference.name)) return this.#counted('gone', GONE);
    const namespace = resource.namespaced ? (reference.namespace ?? 'default') : '';
    const key = namespace === '' ? reference.name : `${namespace}/${reference.name}`;
    const held = await store.baseline(resource.group, resource.resource, key);
    const facts = held === undefined ? undefined : factsIn(held, reference.uid);
    if (facts !== undefined) return this.#counted('baseline', facts);
    // What was asked for under other rules may show what these hide.
    const rules = redactor().fingerprint;
    const id = `${resource.group}/${resource.resource}/${key}/${reference.uid ?? ''} ${rules}`;
    return this.#ask({ id, resource, namespace, reference }, signal);
  }

  async #ask(asked: Asked, signal: AbortSignal): Promise<ObjectFacts> {
    const { clock } = this.#options;
    for (;;) {
      const cached = this.#cache.get(asked.id);
      if (cached !== undefined && isFresh(cached, clock.monotonic())) return this.#counted('cache', cached.facts);
      const underWay = this.#underWay.get(asked.id);
      if (underWay !== undefined) return underWay;
      // Who has an answer does not come back for a turn, and others would wait for it.
      const waitMs = this.#waitMs(asked.id, cached === undefined);
      if (waitMs === 0) return this.#begin(asked);
      if (cached !== undefined) return this.#counted('cache', cached.facts);
      if (waitMs > HOLD_MS) throw new WaitError(clock.steady() + waitMs);
      await clock.sleep(waitMs, signal);
    }
  }

  /** Until the turn of this object, which is reserved for it where it lines up; 0: now, and it is taken. */
  #waitMs(id: string, lineUp: boolean): number {
    try {
      this.#limit.take(id, lineUp);
      return 0;
    } catch (thrown) {
      if (!(thrown instanceof WaitError)) throw thrown;
      return Math.max(1, thrown.until - this.#options.clock.steady());
    }
  }

  /** Whoever asks for the same object meanwhile waits for the same answer. */
  #begin(asked: Asked): Promise<ObjectFacts> {
    const answer = this.#get(asked).finally(() => this.#underWay.delete(asked.id));
    this.#underWay.set(asked.id, answer);
    return answer;
  }

  async #get({ id, resource, namespace, reference }: Asked): Promise<ObjectFacts> {
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
      const facts = readable(path, api.host, () => factsIn(redactor().forKind(resource)(body), uid) ?? GONE);
      return this.#counted(facts === GONE ? 'gone' : 'found', facts);
    }
    if (status === 404) return this.#counted('gone', GONE);
    if (status !== 401 && status !== 429 && status < 500) return this.#unknown(resourceName(resource), String(status));
    const askedMs = retryAfterMs(headers['retry-after'], clock.now(), MAX_RETRY_AFTER_MS) || undefined;
    if (status === 429) this.#limit.block(askedMs ?? HOLD_MS);
    metrics.lookups.inc({ outcome: 'failed' });
    throw new RetryAfterError(`Cannot GET ${path} on ${api.host}: it answered ${status}`, { retryAfterMs: askedMs });
  }

  /** Told once for each kind and reason: it would be the same for each Event. */
  #unknown(what: string, reason: string): ObjectFacts {
    const { log } = this.#options;
    if (!this.#told.has(`${what} ${reason}`) && this.#told.size < MAX_TOLD) {
      this.#told.add(`${what} ${reason}`);
      const problem = reason === '403' ? 'forbidden: allow "get" on it' : reason;
      log.warn('Objects cannot be looked up: their labels, annotations and owners are not known', { what, problem });
    }
    return this.#counted('unknown', UNKNOWN);
  }

  #counted(outcome: string, facts: ObjectFacts): ObjectFacts {
    this.#options.metrics.lookups.inc({ outcome });
    return facts;
  }
}

interface Asked {
  readonly id: string;
  readonly resource: Resource;
  /** `""`: the resource has none. */
  readonly namespace: string;
  readonly reference: ObjectReference;
}

/** Undefined: another object of the same name. @throws SyntaxError for what is no JSON */
function factsIn(manifest: Uint8Array, uid: string | undefined): ObjectFacts | undefined {
  const { metadata } = JSON.parse(Buffer.from(manifest).toString('utf8')) as { readonly metadata?: JsonObject };
  const facts = factsOf(metadata);
  const isSame = uid === undefined || metadata?.['uid'] === uid || uidInEvents(metadata) === uid;
  return isSame ? facts : undefined;
}

/** @throws RetryAfterError for what is no manifest, such as the login page of a proxy */
function readable<T>(path: string, host: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new RetryAfterError(`Cannot GET ${path} on ${host}: the answer is no manifest`, { cause });
  }
}
