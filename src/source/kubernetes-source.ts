/** The source for one Kubernetes cluster: finds out what the configured kinds mean there, and keeps an informer on each scope. */
import type { Clock } from '../clock.ts';
import { ConfigError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Store } from '../store/store.ts';
import type { ApiClient } from './api.ts';
import { Backoff } from './backoff.ts';
import type { Discovery, Resolution } from './discovery.ts';
import type { InformerEnvironment } from './informer.ts';
import type { Redactor } from './redact.ts';
import { ScopeStatus } from './scope-status.ts';
import type { Resource, ScopeHealth, Source, WatchRequest } from './source.ts';
import { Turns } from './turns.ts';
import { scopeId, storedScopeId, WatchedScope } from './watched-scope.ts';

export interface SourceOptions {
  readonly api: ApiClient;
  readonly discovery: Pick<Discovery, 'resolve'>;
  readonly store: Store;
  readonly requests: readonly WatchRequest[];
  readonly redactor: Redactor;
  /** What happened while nothing was watching: a change each, or none. */
  readonly whileAway: 'each' | 'ignore';
  /** False: the cluster is known by its address only, so that another one may be behind it. */
  readonly identityIsCertain: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** These chains have work. */
  onAccepted(chains: readonly string[]): void;
  /** For jitter, from 0 to 1. Default Math.random. */
  readonly random?: () => number;
}

/** A list is the most that a client can ask of an API server. */
const LISTS_AT_ONCE = 4;
/** Each watch is a connection here and memory there. */
const MANY_WATCHES = 100;
/** A kind that is not there, or was just removed: somebody has to install it. */
const RESOLVE_BACKOFF = { initialMs: 5_000, maxMs: 60_000 } as const;

/** Asks nothing of the cluster before {@link Source.start}. */
export function createSource(options: SourceOptions): Source {
  return new KubernetesSource(options);
}

/** A request whose kind the cluster has not shown us yet. */
interface Unresolved {
  readonly request: WatchRequest;
  readonly status: ScopeStatus;
}

class KubernetesSource implements Source {
  readonly #options: SourceOptions;
  readonly #env: InformerEnvironment;
  readonly #stopping = new AbortController();
  readonly #scopes = new Map<string, WatchedScope>();
  readonly #unresolved = new Set<Unresolved>();
  #searches: readonly Promise<void>[] = [];
  #waiting: (() => void)[] = [];
  #started = false;
  #stopped: Promise<void> | undefined;

  constructor(options: SourceOptions) {
    this.#options = options;
    const lists = new Turns(LISTS_AT_ONCE);
    this.#env = {
      ...options,
      random: options.random ?? Math.random,
      onAccepted: (chains) => options.onAccepted(chains),
      inTurn: (list, signal) => lists.run(list, signal),
    };
  }

  async start(): Promise<void> {
    const { requests, discovery } = this.#options;
    const answers = await Promise.all(
      requests.map(async (request) => ({ request, answer: await discovery.resolve(request.kind, request.apiVersion) })),
    );
    const mistakes = answers.flatMap(({ request, answer }) => (isMistake(answer) ? [problemOf(request, answer)] : []));
    if (mistakes.length > 0) throw new ConfigError([...new Set(mistakes)]);
    for (const { request, answer } of answers) {
      const status = this.#newStatus(request);
      if (answer.kind === 'found') {
        this.#join({ request, status }, answer.resource);
      } else {
        this.#unresolved.add({ request, status });
        status.unresolved(problemOf(request, answer));
      }
    }
    await this.#forgetWhatLeft();
    if (this.#stopping.signal.aborted) return;
    this.#warnOfMany();
    for (const scope of this.#scopes.values()) scope.start();
    this.#searches = Array.from(this.#unresolved, (unresolved) => this.#search(unresolved));
    this.#started = true;
    this.#announce();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  health(): readonly ScopeHealth[] {
    return [...this.#scopes.values(), ...this.#unresolved].map(({ status }) => status.health);
  }

  settled(): Promise<void> {
    return this.#isSettled() ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#scopes.values()].map((scope) => scope.stop()));
    await Promise.all(this.#searches);
    for (const { status } of [...this.#scopes.values(), ...this.#unresolved]) status.stopped();
  }

  /** Adds a request to the scope that it means. */
  #join({ request, status }: Unresolved, resource: Resource): WatchedScope {
    const id = scopeId(request, resource);
    let scope = this.#scopes.get(id);
    if (scope === undefined) {
      const resolve = this.#resolve.bind(this);
      scope = new WatchedScope({ env: this.#env, status, resource, request, resolve });
      this.#scopes.set(id, scope);
    } else {
      scope.add(request);
    }
    return scope;
  }

  /** A scope that another name began already starts anew, for all its chains. Never rejects. */
  async #search(unresolved: Unresolved): Promise<void> {
    const { signal } = this.#stopping;
    const resource = await this.#resolve(unresolved.request, unresolved.status, signal);
    if (resource === undefined) return;
    this.#unresolved.delete(unresolved);
    const { kind, namespace } = unresolved.request;
    this.#options.metrics.scopeSynced.remove({ resource: kind, namespace });
    this.#join(unresolved, resource).start();
    this.#announce();
  }

  /** Asks until the cluster serves the kind; undefined: stopped. Never rejects. */
  async #resolve(request: WatchRequest, status: ScopeStatus, signal: AbortSignal): Promise<Resource | undefined> {
    const { clock, discovery } = this.#options;
    const backoff = new Backoff({ clock, random: () => (1 + this.#env.random()) / 2, ...RESOLVE_BACKOFF });
    for (;;) {
      await clock.sleep(backoff.next(), signal).catch(() => undefined);
      if (signal.aborted) return undefined;
      const answer = await discovery.resolve(request.kind, request.apiVersion);
      if (signal.aborted) return undefined;
      if (answer.kind === 'found') return answer.resource;
      status.unresolved(problemOf(request, answer));
    }
  }

  /** A scope that left the configuration: should it come back, its first list is silent. Only when it is sure what the configuration means. */
  async #forgetWhatLeft(): Promise<void> {
    if (this.#unresolved.size > 0) return;
    const { store, log } = this.#options;
    for (const stored of await store.scopes()) {
      if (this.#scopes.has(storedScopeId(stored))) continue;
      const { group, resource, namespace, id, objects } = stored;
      log.info('Forgetting a scope that is no longer configured', { group, resource, namespace, objects });
      await store.forgetScope(id);
    }
  }

  #warnOfMany(): void {
    const watches = this.#scopes.size + this.#unresolved.size;
    if (watches <= MANY_WATCHES) return;
    this.#options.log.warn('The configuration needs many watches: leave out namespaces to watch each kind once', {
      watches,
    });
  }

  #newStatus({ kind, namespace }: WatchRequest): ScopeStatus {
    const { api, clock, log, metrics } = this.#options;
    let shown = kind;
    const onChange = ({ health: { state, resource = kind } }: ScopeStatus) => {
      // A name that is no longer used must not stay behind as one that is degraded.
      if (resource !== shown) metrics.scopeSynced.remove({ resource: shown, namespace });
      shown = resource;
      metrics.scopeSynced.set({ resource, namespace }, state === 'watching' ? 1 : 0);
      this.#announce();
    };
    return new ScopeStatus({ kind, namespace, host: api.host, clock, log, onChange });
  }

  #isSettled(): boolean {
    return this.#started && this.health().every(({ state }) => state !== 'starting' && state !== 'listing');
  }

  #announce(): void {
    if (this.#waiting.length === 0 || !this.#isSettled()) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

type NotFound = Exclude<Resolution, { readonly kind: 'found' }>;

/** What only the user can mend; everything else is waited for. */
function isMistake(answer: Resolution): answer is NotFound {
  return answer.kind === 'ambiguous' || (answer.kind === 'not-served' && !answer.mayComeLater);
}

function problemOf({ kind, apiVersion, at }: WatchRequest, answer: NotFound): string {
  const name = apiVersion === undefined ? `"${kind}"` : `"${kind}" of ${apiVersion}`;
  switch (answer.kind) {
    case 'ambiguous':
      return `${at}: kind ${name} may be any of ${answer.candidates.join(', ')}: set apiVersion`;
    case 'not-served': {
      const near = answer.near.length === 0 ? '' : `; it serves ${answer.near.join(', ')}`;
      return `${at}: kind ${name} is not served by the cluster${near}`;
    }
    case 'unsure':
      return `${at}: cannot find out what kind ${name} is: ${answer.reason}`;
  }
}
