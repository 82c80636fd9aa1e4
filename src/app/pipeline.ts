/**
 * The path of a change: cluster -> source -> store -> chains -> receivers. Stages start from the receiving end,
 * and stop in reverse, draining.
 */
import type { Tracer } from '../chain/observe.ts';
import { RunningChains, type ChainsChanged } from '../chain/running-chains.ts';
import { createChainTree } from '../chain/tree.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { createReceivers, type Receivers } from '../delivery/receivers.ts';
import { createEvidence } from '../enrich/cluster-evidence.ts';
import { createEnricher, OFFLINE_ENRICHER } from '../enrich/enricher.ts';
import { waitForFirstList, recordedEvidence, type Evidence } from '../enrich/evidence.ts';
import type { Enricher } from '../enrich/involved.ts';
import { toError } from '../errors.ts';
import { warnOfOrphans } from './housekeeping.ts';
import { drainAndStop } from './in-memory.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { OpenState } from './open-state.ts';
import type { Connection } from '../source/connect.ts';
import { Discovery } from '../source/discovery.ts';
import { createSource, type ClusterSource } from '../source/kubernetes-source.ts';
import { createRedactor, type Redactor } from '../source/redact.ts';
import { redactStored } from '../source/redact-stored.ts';
import type { ScopeHealth } from '../source/source.ts';
import type { WatchPlan } from '../source/watch-plan.ts';
import type { Stages } from './stages.ts';
import { watchRequests } from './watch-requests.ts';

export interface PipelineOptions {
  /** The configuration in use. */
  readonly config: () => Config;
  readonly connection: Connection;
  readonly state: OpenState;
  /** Started stages are added here. */
  readonly stages: Stages;
  /** Asked right before each handler call: false once another process may work. */
  readonly mayWork: () => boolean;
  /** Where the `log` handler writes. */
  readonly stdout: NodeJS.WritableStream;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Aborts a start in progress. */
  readonly signal: AbortSignal;
  /** Called when it cannot continue. */
  readonly onFailure: (error: Error) => void;
}

/** How long running changes of a reconfigured chain may take to end; longer ones start again with the new handlers. */
const RELOAD_GRACE_MS = 5_000;

export class Pipeline {
  readonly receivers: Receivers;
  readonly #options: PipelineOptions;
  readonly #discovery: Discovery;
  readonly #chains: RunningChains;
  readonly #source: ClusterSource;
  /** The latest redactor, shared by watching, storing and lookups. */
  #cachedRedactor: { readonly rules: Config['redact']; readonly redactor: Redactor } | undefined;
  #tracer: Tracer | undefined;
  #abandoned: Promise<void> | undefined;

  constructor(options: PipelineOptions) {
    const { connection, state, clock, log, metrics, env, signal } = options;
    this.#options = options;
    this.#discovery = new Discovery(connection.api, { clock, signal });
    this.receivers = createReceivers({ clock, metrics, log, env });
    this.#chains = this.#createChains();
    this.#source = createSource({
      api: connection.api,
      discovery: this.#discovery,
      store: state.store,
      ...this.#planOf(options.config()),
      identityIsCertain: connection.identity.by === 'kube-system',
      isSameCluster: () => this.#isSameCluster(),
      clock,
      maxSilenceMs: options.config().cluster.maxSilenceMs,
      log,
      metrics,
      onAccepted: (chains) => this.#chains.kick(chains),
    });
  }

  /** Resolves when everything runs; the lists may still be under way. */
  async start(): Promise<void> {
    const { config, state, stages, log, signal } = this.#options;
    stages.add('receivers', () => this.receivers.close());
    // Before a chain can send, or a scope compare, anything that the rules hide.
    await redactStored({ store: state.store, redactor: this.#redactor(config()), discovery: this.#discovery, log });
    signal.throwIfAborted();
    await this.#startTracing();
    stages.add('chains', (graceMs) => this.#stopChains(graceMs));
    await this.#chains.reconfigure(config().chains, 0);
    signal.throwIfAborted();
    stages.add('source', () => this.#source.stop());
    await this.#source.start();
    signal.throwIfAborted();
    await warnOfOrphans(state.store, config().chains, log);
  }

  /** Switches to a configuration. Unserved kinds and handlers that do not start are detected before anything changes for good. */
  async reconfigure(config: Config): Promise<ChainsChanged> {
    const { state, log, metrics } = this.#options;
    const plan = await this.#source.prepare(this.#planOf(config));
    // Watching under the old rules has ended, and what it stored is redacted, before a chain sends it or passes it to a branch.
    const changed = await this.#chains.reconfigure(config.chains, RELOAD_GRACE_MS, async () => {
      try {
        await this.#source.applyPlan(plan);
        await redactStored({ store: state.store, redactor: plan.redactor, discovery: this.#discovery, log });
      } catch (thrown) {
        await this.#restoreWatches();
        throw thrown;
      }
    });
    metrics.counters.removeUnused();
    await warnOfOrphans(state.store, config.chains, log);
    return changed;
  }

  /** Aborts all running work at once, before the stages stop, as another process may soon take over. */
  abandon(): void {
    this.#abandoned = this.#chains.stop(0);
  }

  scopes(): readonly ScopeHealth[] {
    return this.#source.health();
  }

  /** Resolves when the first list of every scope has ended or failed. */
  settled(): Promise<void> {
    return this.#source.settled();
  }

  /** Resolves when every scope has settled and no chain has anything due. */
  async idle(): Promise<void> {
    await this.#source.settled();
    await this.#chains.idle();
  }

  /** Fails the service if another cluster answers at the same address: only a restart can begin a new baseline for it. */
  async #isSameCluster(): Promise<boolean> {
    const { connection, onFailure } = this.#options;
    const { api, identity } = connection;
    if (identity.by === 'address') return true;
    const { id, by } = await connection.identify();
    if (by === 'address' || id === identity.id) return true;
    const problem = `Another cluster now answers at ${api.host}: the uid of its kube-system is ${id}, it was ${identity.id}`;
    onFailure(new Error(`${problem}. Restart to begin with a new baseline`));
    return false;
  }

  #createChains(): RunningChains {
    const { connection, state, stdout, mayWork, clock, log, metrics } = this.#options;
    const common = {
      store: state.store,
      clusterName: connection.clusterName,
      receivers: this.receivers,
      clock,
      metrics,
      log,
      stdout,
      enricher: this.#enricher(),
      evidence: this.#evidence(),
      mayWork,
      onForked: (names: readonly string[]) => this.#chains.kick(names),
    };
    return new RunningChains((chain) => createChainTree({ chain, tracer: this.#tracer, ...common }));
  }

  async #stopChains(graceMs: number): Promise<void> {
    const { state, clock, log } = this.#options;
    await this.#abandoned;
    const chains = this.#chains;
    await (state.isInMemoryFallback
      ? drainAndStop({ chains, store: state.store, clock, log }, graceMs)
      : chains.stop(graceMs));
  }

  /** The old chains continue, so must their watches; the store, which has just refused, may refuse to forget the other scopes. */
  async #restoreWatches(): Promise<void> {
    const { config, log } = this.#options;
    try {
      await this.#source.applyPlan(await this.#source.prepare(this.#planOf(config())));
    } catch (thrown) {
      log.warn('Could not fully restore what was watched before the configuration changed', {
        problem: toError(thrown).message,
      });
    }
  }

  #planOf(config: Config): WatchPlan {
    const { whileAway, existing } = config;
    return { requests: watchRequests(config), redactor: this.#redactor(config), whileAway, existing };
  }

  #redactor({ redact: rules }: Config): Redactor {
    if (this.#cachedRedactor?.rules !== rules)
      this.#cachedRedactor = { rules, redactor: createRedactor(rules, this.#options.state.redactionKey) };
    return this.#cachedRedactor.redactor;
  }

  /** Loads tracing only if it is configured. */
  async #startTracing(): Promise<void> {
    const { connection, stages, clock, log, metrics } = this.#options;
    const { tracing: config } = this.#options.config();
    if (config === undefined) return;
    const { createTracer } = await import('../tracing/tracer.ts');
    const { clusterName } = connection;
    const tracer = createTracer({ config, clusterName, receivers: this.receivers, clock, log, metrics });
    stages.add('tracing', () => tracer.stop());
    this.#tracer = tracer;
  }

  #enricher(): Enricher {
    const { config, connection, state, clock, log, metrics } = this.#options;
    const { enabled, requestsPerSecond: perSecond, burst } = config().lookup;
    if (!enabled) return OFFLINE_ENRICHER;
    const redactor = () => this.#redactor(config());
    const common = { store: state.store, redactor, clock, log, metrics };
    return createEnricher({ api: connection.api, discovery: this.#discovery, ...common, perSecond, burst });
  }

  #evidence(): Evidence {
    const { config, connection, state, clock, log } = this.#options;
    const secretNames = () => config().redact.envNames;
    const evidence = config().lookup.enabled
      ? createEvidence({ api: connection.api, store: state.store, secretNames, clock, log })
      : recordedEvidence(state.store, secretNames);
    return waitForFirstList(evidence, (group, resource) => this.#isListing(group, resource), clock);
  }

  /** True also before the source has started, because chains start first. */
  #isListing(group: string, resource: string): boolean {
    const scopes = this.#source.health();
    return scopes.length === 0 || scopes.some((scope) => isBeingListed(scope, group, resource));
  }
}

/** Whether this is the scope's first list since it started. */
function isBeingListed({ resource: name, state }: ScopeHealth, group: string, resource: string): boolean {
  if (state !== 'starting' && state !== 'listing') return false;
  const [plural, , ofGroup = ''] = name?.split('/').toReversed() ?? [];
  return name === undefined || (plural === resource && ofGroup === group);
}
