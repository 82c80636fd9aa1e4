/** A watched scope and the requests it serves; it outlives its informers. */
import { isDeepStrictEqual } from 'node:util';
import { isSameInterest, unionOfInterests } from '../interest.ts';
import { namespaceScopeFor } from '../namespaces.ts';
import type { ScopeKey } from '../store/scope.ts';
import { Informer, type InformerEnvironment } from './informer.ts';
import { resourceName } from './resource-path.ts';
import type { ScopeStatus } from './scope-status.ts';
import type { Resource, WatchRequest } from './source.ts';

export interface WatchedScopeOptions {
  readonly env: InformerEnvironment;
  readonly status: ScopeStatus;
  readonly resource: Resource;
  /** What it is watched for: the same scope, possibly under several names. */
  readonly requests: readonly [WatchRequest, ...WatchRequest[]];
  /** It was watched until just now: what follows the stored cursor did not happen while nothing was watching. */
  readonly resumed: boolean;
  /** Finds the kind again, by any of its names, after it was removed, however long that takes; undefined if stopped. */
  readonly resolve: (
    requests: readonly WatchRequest[],
    status: ScopeStatus,
    signal: AbortSignal,
    previous: Resource,
  ) => Promise<Resource | undefined>;
  /**
   * Called, as the last thing that the scope does, if the kind was found where it is another scope for one of these requests:
   * cluster-scoped or no longer so, or in another group.
   */
  readonly onMoved: (requests: readonly WatchRequest[], resource: Resource) => void;
  /** Whether one of its names still means this kind: asked after an object of another kind came, until the cluster answers. */
  readonly isStillServed: (requests: readonly WatchRequest[], was: Resource, signal: AbortSignal) => Promise<boolean>;
}

export class WatchedScope {
  readonly status: ScopeStatus;
  readonly #options: WatchedScopeOptions;
  #requests: readonly WatchRequest[];
  #resource: Resource;
  #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #informer: Informer | undefined;

  constructor(options: WatchedScopeOptions) {
    this.#options = options;
    this.status = options.status;
    this.#resource = options.resource;
    this.#requests = options.requests;
  }

  /** Adds a request for the same scope under another name; it takes effect with the next {@link start}. */
  add(request: WatchRequest): void {
    this.#requests = [...this.#requests, request];
  }

  /** Whether it is already watched for exactly this. */
  isFor(resource: Resource, requests: readonly WatchRequest[]): boolean {
    const needed = combinedRequests(requests);
    const own = combinedRequests(this.#requests);
    return (
      resource.version === this.#resource.version &&
      isDeepStrictEqual(needed.chains, own.chains) &&
      isSameInterest(needed.interest, own.interest)
    );
  }

  /** The value of {@link WatchedScopeOptions.resumed} for a scope that takes over from this one now. */
  get isCaughtUp(): boolean {
    return this.#informer === undefined ? this.#options.resumed : !this.#informer.hasUnreportedAway;
  }

  /** Starts, or restarts with what was added since; waits for the previous run to end, so that there is only one at a time. */
  start(): void {
    const resumed = this.isCaughtUp;
    this.#stopping.abort();
    this.#stopping = new AbortController();
    this.#running = this.#runAfter(this.#running, resumed, this.#stopping.signal);
  }

  /** Resolves when everything read is in the store. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #runAfter(before: Promise<void> | undefined, resumed: boolean, signal: AbortSignal): Promise<void> {
    await before;
    if (!signal.aborted) await this.#run(resumed, signal);
  }

  async #run(resumed: boolean, signal: AbortSignal): Promise<void> {
    const { env, requests, resolve } = this.#options;
    const [request] = requests;
    const { labelSelector, fieldSelector } = request;
    for (let isFirst = true; ; isFirst = false) {
      const resource = this.#resource;
      const namespace = namespaceScopeFor(resource, request.namespace);
      this.status.setResource(resourceName(resource), namespace);
      const scope = {
        ...resource,
        namespace,
        labelSelector,
        fieldSelector,
        ...combinedRequests(this.#requests),
      };
      const replaced = new AbortController();
      const running = AbortSignal.any([signal, replaced.signal]);
      const onOtherKind = this.#createKindCheck(resource, running, () => replaced.abort());
      // After the first round the kind had been removed, so nothing was watching.
      this.#informer = new Informer(env, scope, this.status, { resumed: resumed && isFirst, onOtherKind });
      await this.#informer.run(running);
      if (signal.aborted) return;
      const found = await resolve(this.#requests, this.status, signal, resource);
      if (found === undefined || signal.aborted) return;
      if (this.#requests.some((one) => scopeId(one, found) !== scopeId(one, resource))) {
        this.#options.onMoved(this.#requests, found);
        return;
      }
      this.#resource = found;
    }
  }

  /** Asks, one question at a time, whether the kind was replaced: a CRD may be recreated with the plural of another kind. */
  #createKindCheck(resource: Resource, signal: AbortSignal, onReplaced: () => void): () => void {
    let isChecking = false;
    return () => {
      if (isChecking) return;
      isChecking = true;
      void this.#options.isStillServed(this.#requests, resource, signal).then((isServed) => {
        isChecking = false;
        if (!isServed) onReplaced();
      });
    };
  }
}

/** Which chains want it, and the union of what they read. */
function combinedRequests(requests: readonly WatchRequest[]): Pick<WatchRequest, 'chains' | 'interest'> {
  return {
    chains: [...new Set(requests.flatMap(({ chains }) => chains))],
    interest: unionOfInterests(requests.map(({ interest }) => interest)),
  };
}

/** The same for requests that watch the same thing. Does not include the version, like the key of a baseline. */
export function scopeId(request: WatchRequest, resource: Resource): string {
  const { labelSelector, fieldSelector } = request;
  return storedScopeId({
    ...resource,
    namespace: namespaceScopeFor(resource, request.namespace),
    labelSelector,
    fieldSelector,
  });
}

/** {@link scopeId} of a stored scope. */
export function storedScopeId(key: ScopeKey): string {
  return JSON.stringify([key.group, key.resource, key.namespace, key.labelSelector, key.fieldSelector]);
}
