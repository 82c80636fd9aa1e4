/** The status of one watched scope, for health and log. */
import type { Clock } from '../clock.ts';
import type { Logger } from '../log.ts';
import { printable } from '../text/printable.ts';
import { describeNamespaceScope } from '../namespaces.ts';
import { NoAnswerError } from './api.ts';
import type { ReflectorFailure } from './reflector.ts';
import type { ScopeHealth } from './source.ts';

export interface ScopeStatusOptions {
  /** As written in the configuration. */
  readonly kind: string;
  readonly namespace: string;
  /** Of the API server. */
  readonly host: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onChange: () => void;
}

/** A watch breaks whenever an API server restarts; only failing twice in a row is worth reporting. */
const DEGRADED_AFTER = 2;

export class ScopeStatus {
  readonly #options: ScopeStatusOptions;
  #namespace: string;
  #resource: string | undefined;
  #state: ScopeHealth['state'] = 'starting';
  #problem: string | undefined;
  /** The problem last warned about in the log; undefined if there is none, or it is over. */
  #reported: string | undefined;
  #storeProblem: string | undefined;
  #objects = 0;
  /** By {@link Clock.steady}. */
  #heardAt: number | undefined;

  constructor(options: ScopeStatusOptions) {
    this.#options = options;
    this.#namespace = options.namespace;
  }

  get health(): ScopeHealth {
    return {
      kind: this.#options.kind,
      resource: this.#resource,
      namespace: this.#namespace,
      state: this.#storeProblem === undefined || this.#state === 'stopped' ? this.#state : 'degraded',
      problem: this.#storeProblem ?? this.#problem,
      objects: this.#objects,
      lastHeardAt: this.#lastHeardAt,
    };
  }

  /** By the wall clock as set now: setting it forward makes no watch look silent, and setting it back hides no silent one. */
  get #lastHeardAt(): number | undefined {
    const { clock } = this.#options;
    return this.#heardAt === undefined ? undefined : clock.now() - (clock.steady() - this.#heardAt);
  }

  /**
   * @param resource `apps/v1/deployments`
   * @param namespace where it is watched: `""` for a cluster-scoped kind, whatever is configured
   */
  setResource(resource: string, namespace: string): void {
    this.#resource = resource;
    this.#namespace = namespace;
  }

  /** A list that follows a failure is not yet a recovery. */
  listing(): void {
    if (this.#state !== 'degraded') this.#setState('listing');
  }

  /** The watch was accepted, which does not count as having heard from the server. */
  watching(objects: number): void {
    this.#problem = undefined;
    this.#objects = objects;
    this.#setState('watching');
  }

  /** The server said something. */
  heard(objects: number): void {
    this.#objects = objects;
    this.#heardAt = this.#options.clock.steady();
    // Not logged in watching(): if every watch breaks at once, that would log a line every half minute.
    if (this.#reported === undefined || this.#state !== 'watching') return;
    this.#options.log.info('Watching again', this.#fields());
    this.#reported = undefined;
  }

  /** The list or the watch failed. */
  failed({ verb, error, consecutive, waitMs, relist }: ReflectorFailure): void {
    const fields = { verb, reason: error.reason, waitMs: Math.round(waitMs) };
    if (relist && error.remedy === 'relist') {
      this.#options.log.info('The resourceVersion to watch from has expired, relisting', {
        ...this.#fields(),
        ...fields,
      });
      return;
    }
    const details =
      error.cause instanceof NoAnswerError ? error.cause.problem : `${this.#options.host}: ${error.message}`;
    const problem = `Cannot ${verb} ${this.#resource} ${describeNamespaceScope(this.#namespace)} on ${details}`;
    const isDegraded = verb === 'list' || error.remedy === 'refused' || consecutive >= DEGRADED_AFTER;
    this.#fail(problem, isDegraded ? 'degraded' : this.#state, fields);
  }

  /** The kind was not found, or discovery fails at present. */
  unresolved(problem: string): void {
    this.#fail(problem, 'degraded', {});
  }

  /** Logged once as long as it stays the same: a disk may be full for days. */
  storeFailed(error: Error): void {
    const details = printable(error.message).replace(/^Cannot write to the store: /, '');
    const problem = `Cannot write to the store: ${details}`;
    if (problem !== this.#storeProblem)
      this.#options.log.error('Cannot write to the store, trying again', { ...this.#fields(), problem });
    this.#storeProblem = problem;
    this.#options.onChange();
  }

  storeWorks(): void {
    if (this.#storeProblem === undefined) return;
    this.#options.log.info('The store can be written to again', this.#fields());
    this.#storeProblem = undefined;
    this.#options.onChange();
  }

  stopped(): void {
    this.#setState('stopped');
  }

  /** Warns of the same problem only once; further tries are logged at debug. */
  #fail(problem: string, state: ScopeHealth['state'], fields: object): void {
    const line = printable(problem);
    const isDegraded = state === 'degraded';
    const level = isDegraded && line !== this.#reported ? 'warn' : 'debug';
    this.#options.log[level](isDegraded ? 'A scope is degraded, trying again' : 'A watch ended early, trying again', {
      ...this.#fields(),
      ...fields,
      problem: line,
    });
    if (isDegraded) this.#reported = line;
    this.#problem = line;
    this.#setState(state);
  }

  #setState(state: ScopeHealth['state']): void {
    this.#state = state;
    this.#options.onChange();
  }

  #fields() {
    return { kind: this.#options.kind, resource: this.#resource, namespace: this.#namespace || undefined };
  }
}
