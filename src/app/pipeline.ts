/**
 * What a change travels through: cluster -> source -> store -> chains -> receivers. Started in the order in which work flows back,
 * and stopped in reverse, draining.
 */
import type { Tracer } from '../chain/observe.ts';
import { RunningChains, type ChainsChanged } from '../chain/running-chains.ts';
import { createChainTree } from '../chain/tree.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { createReceivers, type Receivers } from '../delivery/receivers.ts';
import { createEvidence } from '../enrich/cluster-evidence.ts';
import { createEnricher, UNASKING } from '../enrich/enricher.ts';
import { recordedEvidence, type Evidence } from '../enrich/evidence.ts';
import type { Enricher } from '../enrich/involved.ts';
import { toError } from '../errors.ts';
import { tellOfOrphans } from './housekeeping.ts';
import { stopDrained } from './in-memory.ts';
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
import { watchRequests } from '../watch-requests.ts';

export interface PipelineOptions {
  /** The configuration that runs now. */
  readonly config: () => Config;
  readonly connection: Connection;
  readonly state: OpenState;
  /** Gets what is started. */
  readonly stages: Stages;
  /** Asked right before something is told: false once another process may work. */
  readonly mayWork: () => boolean;
  /** Where the `log` handler writes. */
  readonly stdout: NodeJS.WritableStream;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal;
  /** It cannot go on. */
  readonly onFailure: (error: Error) => void;
}

/** How long a chain whose handlers changed may end what it is doing; what takes longer begins again with the new ones. */
const RELOAD_GRACE_MS = 5_000;

export class Pipeline {
  readonly receivers: Receivers;
  readonly #options: PipelineOptions;
  readonly #discovery: Discovery;
  readonly #chains: RunningChains;
  readonly #source: ClusterSource;
  /** The last one: what is watched, stored and looked up shares it. */
  #redactorMade: { readonly rules: Config['redact']; readonly redactor: Redactor } | undefined;
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
    // Before a chain can send, or a scope compare, what the rules would hide.
    await redactStored({ store: state.store, redactor: this.#redactor(config()), discovery: this.#discovery, log });
    signal.throwIfAborted();
    await this.#startTracing();
    stages.add('chains', (graceMs) => this.#stopChains(graceMs));
    await this.#chains.follow(config().chains, 0);
    signal.throwIfAborted();
    stages.add('source', () => this.#source.stop());
    await this.#source.start();
    signal.throwIfAborted();
    await tellOfOrphans(state.store, config().chains, log);
  }

  /** A kind that the cluster does not serve, or a handler that does not start, shows before anything has changed for good. */
  async follow(config: Config): Promise<ChainsChanged> {
    const { state, log } = this.#options;
    const plan = await this.#source.prepare(this.#planOf(config));
    // What was seen under the old rules is over, and hidden, before a chain sends it or hands it to a branch.
    const changed = await this.#chains.follow(config.chains, RELOAD_GRACE_MS, async () => {
      try {
        await this.#source.follow(plan);
        await redactStored({ store: state.store, redactor: plan.redactor, discovery: this.#discovery, log });
      } catch (thrown) {
        await this.#watchAsBefore();
        throw thrown;
      }
    });
    await tellOfOrphans(state.store, config.chains, log);
    return changed;
  }

  /** Another process may work soon: what is under way is given up at once, before the stages stop. */
  abandon(): void {
    this.#abandoned = this.#chains.stop(0);
  }

  scopes(): readonly ScopeHealth[] {
    return this.#source.health();
  }

  /** Resolves when the first list of every scope is over, one way or the other. */
  settled(): Promise<void> {
    return this.#source.settled();
  }

  /** Resolves when every scope has settled and no chain has anything due. */
  async idle(): Promise<void> {
    await this.#source.settled();
    await this.#chains.idle();
  }

  /** What is known of one cluster says nothing about another behind the same address: only a start begins anew for it. */
  async #isSameCluster(): Promise<boolean> {
    const { connection, onFailure } = this.#options;
    const { api, identity } = connection;
    if (identity.by === 'address') return true;
    const { id, by } = await connection.identify();
    if (by === 'address' || id === identity.id) return true;
    const problem = `Another cluster answers at ${api.host} now: its kube-system has the uid ${id}, and had ${identity.id}`;
    onFailure(new Error(`${problem}. Start again, for a new baseline`));
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
    await (state.isMakeshift ? stopDrained({ chains, store: state.store, clock, log }, graceMs) : chains.stop(graceMs));
  }

  /** The old chains go on: what they watch does, too, though the store, which has refused already, may refuse to forget the rest. */
  async #watchAsBefore(): Promise<void> {
    const { config, log } = this.#options;
    try {
      await this.#source.follow(await this.#source.prepare(this.#planOf(config())));
    } catch (thrown) {
      log.warn('Not all is as it was before the configuration changed', { problem: toError(thrown).message });
    }
  }

  #planOf(config: Config): WatchPlan {
    const { whileAway, existing } = config;
    return { requests: watchRequests(config), redactor: this.#redactor(config), whileAway, existing };
  }

  #redactor({ redact: rules }: Config): Redactor {
    if (this.#redactorMade?.rules !== rules)
      this.#redactorMade = { rules, redactor: createRedactor(rules, this.#options.state.redactionKey) };
    return this.#redactorMade.redactor;
  }

  /** Loaded only where it was asked for. */
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
    if (!enabled) return UNASKING;
    const redactor = () => this.#redactor(config());
    const around = { store: state.store, redactor, clock, log, metrics };
    return createEnricher({ api: connection.api, discovery: this.#discovery, ...around, perSecond, burst });
  }

  #evidence(): Evidence {
    const { config, connection, state, clock, log } = this.#options;
    const secretNames = () => config().redact.envNames;
    if (!config().lookup.enabled) return recordedEvidence(state.store, secretNames);
    return createEvidence({ api: connection.api, store: state.store, secretNames, clock, log });
  }
}
