/** The source for one Kubernetes cluster: resolves the configured kinds there, and keeps an informer on each scope. */
import { pause } from '../clock.ts';
import { slowBackoff } from './backoff.ts';
import type { Discovery } from './discovery.ts';
import type { InformerEnvironment } from './informer.ts';
import { groupResource } from './resource-path.ts';
import { ScopeStatus } from './scope-status.ts';
import type { Resource, ScopeHealth, Source, WatchRequest } from './source.ts';
import { Turns } from './turns.ts';
import {
  type NotFound,
  prepare,
  type PreparedPlan,
  problemOf,
  type PlannedScope,
  planScopes,
  type WatchPlan,
} from './watch-plan.ts';
import { scopeId, storedScopeId, WatchedScope } from './watched-scope.ts';

export interface SourceOptions extends WatchPlan, Omit<InformerEnvironment, 'runInTurn' | 'totalHeld' | 'random'> {
  readonly discovery: Pick<Discovery, 'resolve'>;
  /** For jitter, from 0 to 1. Default Math.random. */
  readonly random?: () => number;
}

/** Lists are the most expensive requests that a client can make. */
const MAX_CONCURRENT_LISTS = 4;
/** Each watch costs a connection here and memory on the server. */
const MANY_WATCHES = 100;
/** Longer than discovery caches its documents. */
const RECHECK_MS = 15_000;

/** Does not contact the cluster before {@link Source.start}. */
export function createSource(options: SourceOptions): ClusterSource {
  return new KubernetesSource(options);
}

export interface ClusterSource extends Source {
  /**
   * Resolves the kinds of another plan without changing anything.
   * @throws ConfigError for kinds that the cluster surely does not serve
   */
  prepare(plan: WatchPlan): Promise<PreparedPlan>;
  /**
   * Switches to this plan. Unchanged scopes are left alone; one whose interest changed resumes from its cursor. Rejects only if
   * the store fails.
   */
  applyPlan(plan: PreparedPlan): Promise<void>;
}

/** A request whose kind is not known to be served yet. */
interface Unresolved {
  readonly request: WatchRequest;
  readonly status: ScopeStatus;
}

class KubernetesSource implements ClusterSource {
  readonly #options: SourceOptions;
  readonly #stopping = new AbortController();
  #env: InformerEnvironment;
  readonly #scopes = new Map<string, WatchedScope>();
  readonly #unresolved = new Set<Unresolved>();
  #searching = new AbortController();
  #searches: readonly Promise<void>[] = [];
  #settledWaiters: (() => void)[] = [];
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
    const lists = new Turns(MAX_CONCURRENT_LISTS);
    this.#env = {
      ...options,
      random: options.random ?? Math.random,
      runInTurn: (list, signal) => lists.run(list, signal),
      totalHeld: { bytes: 0 },
    };
  }

  async start(): Promise<void> {
    await this.applyPlan(await this.prepare(this.#options));
  }

  prepare(plan: WatchPlan): Promise<PreparedPlan> {
    return prepare(plan, this.#options.discovery);
  }

  async applyPlan({ resolutions, redactor, whileAway, existing }: PreparedPlan): Promise<void> {
    await this.#endSearches();
    const planned = planScopes(resolutions);
    const hasSameSettings =
      redactor.fingerprint === this.#env.redactor.fingerprint && whileAway === this.#env.whileAway;
    this.#env = { ...this.#env, redactor, whileAway, existing };
    const caughtUp = await this.#stopScopes(([id, scope]) => {
      const next = planned.get(id);
      return !hasSameSettings || next === undefined || !scope.isFor(next.resource, next.requests);
    });
    if (this.#stopping.signal.aborted) return;
    const fresh = [...planned].filter(([id]) => !this.#scopes.has(id));
    for (const [id, scope] of fresh) this.#add(id, scope, caughtUp.has(id));
    for (const { request, resolution } of resolutions)
      if (resolution.kind !== 'found') this.#addUnresolved(request, resolution);
    try {
      await this.#forgetUnconfigured();
    } finally {
      // Even if the store has refused: the next plan assumes that they are watched.
      this.#startScopes(fresh.map(([id]) => id));
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  health(): readonly ScopeHealth[] {
    return [...this.#scopes.values(), ...this.#unresolved].map(({ status }) => status.health);
  }

  settled(): Promise<void> {
    return this.#isSettled() ? Promise.resolve() : new Promise((resolve) => this.#settledWaiters.push(resolve));
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    this.#searching.abort();
    await Promise.all([...this.#scopes.values()].map((scope) => scope.stop()));
    await Promise.all(this.#searches);
    for (const { status } of [...this.#scopes.values(), ...this.#unresolved]) status.stopped();
  }

  #startScopes(fresh: readonly string[]): void {
    if (this.#stopping.signal.aborted) return;
    this.#warnOfManyWatches();
    for (const id of fresh) this.#scopes.get(id)?.start();
    this.#searches = Array.from(this.#unresolved, (unresolved) => this.#awaitKind(unresolved));
    this.#started = true;
    this.#notifySettled();
  }

  /** Stops and drops scopes, after storing what they read. Returns those that had nothing to catch up with. */
  async #stopScopes(shouldStop: (entry: [string, WatchedScope]) => boolean): Promise<ReadonlySet<string>> {
    const stopping = [...this.#scopes].filter(shouldStop);
    const caughtUp = new Set(stopping.filter(([, scope]) => scope.isCaughtUp).map(([id]) => id));
    await Promise.all(
      stopping.map(async ([id, scope]) => {
        await scope.stop();
        this.#scopes.delete(id);
      }),
    );
    return caughtUp;
  }

  #add(
    id: string,
    { resource, requests }: PlannedScope,
    resumed: boolean,
    status = this.#newStatus(requests[0]),
  ): WatchedScope {
    const resolve = this.#resolve.bind(this);
    const isStillServed = this.#isStillServed.bind(this);
    const onMoved = (moved: readonly WatchRequest[], to: Resource) => {
      this.#scopes.delete(id);
      for (const [index, request] of moved.entries()) this.#watch(request, to, index === 0 ? status : undefined);
      this.#notifySettled();
    };
    const env = this.#env;
    const scope = new WatchedScope({ env, status, resource, requests, resumed, resolve, onMoved, isStillServed });
    this.#scopes.set(id, scope);
    return scope;
  }

  /** A scope already watched under another name is restarted for all its chains: two informers of one would rival. */
  #watch(request: WatchRequest, resource: Resource, status?: ScopeStatus): void {
    const id = scopeId(request, resource);
    const known = this.#scopes.get(id);
    known?.add(request);
    (known ?? this.#add(id, { resource, requests: [request] }, false, status)).start();
  }

  #addUnresolved(request: WatchRequest, resolution: NotFound): void {
    const status = this.#newStatus(request);
    this.#unresolved.add({ request, status });
    status.unresolved(problemOf(request, resolution));
  }

  async #endSearches(): Promise<void> {
    this.#searching.abort();
    await Promise.all(this.#searches);
    this.#unresolved.clear();
    this.#searching = new AbortController();
  }

  /** Waits for the kind. Never rejects. */
  async #awaitKind(unresolved: Unresolved): Promise<void> {
    const { request, status } = unresolved;
    const resource = await this.#resolve([request], status, this.#searching.signal);
    if (resource === undefined) return;
    this.#unresolved.delete(unresolved);
    this.#watch(request, resource, status);
    this.#notifySettled();
  }

  /**
   * Asks until the cluster serves the kind under one of its names; undefined if stopped. Never rejects.
   * @param previous with several names, only this kind counts: one of the names may mean another kind by now
   */
  async #resolve(
    requests: readonly WatchRequest[],
    status: ScopeStatus,
    signal: AbortSignal,
    previous?: Resource,
  ): Promise<Resource | undefined> {
    const { clock, discovery } = this.#options;
    const backoff = slowBackoff({ clock, random: this.#env.random });
    for (;;) {
      await pause(clock, backoff.next(), signal);
      const problems = new Set<string>();
      for (const request of requests) {
        if (signal.aborted) return undefined;
        const resolution = await discovery.resolve(request.kind, request.apiVersion);
        if (signal.aborted) return undefined;
        if (resolution.kind !== 'found') problems.add(problemOf(request, resolution));
        else if (requests.length === 1 || (previous && isSameKind(resolution.resource, previous)))
          return resolution.resource;
      }
      if (problems.size > 0) status.unresolved([...problems].join('; '));
    }
  }

  /** Never rejects. */
  async #isStillServed(requests: readonly WatchRequest[], previous: Resource, signal: AbortSignal): Promise<boolean> {
    const { clock, discovery } = this.#options;
    for (;;) {
      // Asked at once, discovery might still answer from its cache.
      await pause(clock, RECHECK_MS, signal);
      if (signal.aborted) return true;
      const resolutions = await Promise.all(
        requests.map(({ kind, apiVersion }) => discovery.resolve(kind, apiVersion)),
      );
      const isStillServed = resolutions.some(
        (resolution) =>
          resolution.kind === 'found' &&
          isSameKind(resolution.resource, previous) &&
          resolution.resource.kind === previous.kind,
      );
      // Keep asking while unsure: objects that were already left out trigger no further question.
      if (isStillServed || resolutions.every(({ kind }) => kind !== 'unsure')) return isStillServed;
    }
  }

  /** Forgets scopes that left the configuration: if they return, their first list is silent. Only once all kinds are resolved. */
  async #forgetUnconfigured(): Promise<void> {
    if (this.#unresolved.size > 0) return;
    const { store, log } = this.#options;
    for (const stored of await store.scopes()) {
      if (this.#scopes.has(storedScopeId(stored))) continue;
      const { group, resource, namespace, id, objects } = stored;
      log.info('Forgetting a scope that is no longer configured', { group, resource, namespace, objects });
      await store.forgetScope(id);
    }
  }

  #warnOfManyWatches(): void {
    const watches = this.#scopes.size + this.#unresolved.size;
    if (watches <= MANY_WATCHES) return;
    this.#options.log.warn('The configuration needs many watches: leave out namespaces to watch each kind once', {
      watches,
    });
  }

  #newStatus({ kind, namespace }: WatchRequest): ScopeStatus {
    const { api, clock, log } = this.#options;
    return new ScopeStatus({ kind, namespace, host: api.host, clock, log, onChange: () => this.#notifySettled() });
  }

  #isSettled(): boolean {
    return this.#started && this.health().every(({ state }) => state !== 'starting' && state !== 'listing');
  }

  #notifySettled(): void {
    if (this.#settledWaiters.length === 0 || !this.#isSettled()) return;
    for (const resolve of this.#settledWaiters.splice(0)) resolve();
  }
}

function isSameKind(one: Resource, other: Resource): boolean {
  return groupResource(one) === groupResource(other);
}
