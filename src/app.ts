/**
 * Wires the stages: cluster -> source -> store -> chains -> receivers. Starts them in the order in which work flows back,
 * so that nothing arrives where nobody listens, and stops them in reverse, draining.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Tracer } from './chain/observe.ts';
import { RunningChains } from './chain/running-chains.ts';
import { createChainTree } from './chain/tree.ts';
import { atMost, systemClock, type Clock } from './clock.ts';
import { READ_ONCE, type Config } from './config/config.ts';
import { createReceivers, type Receivers } from './delivery/receivers.ts';
import { createEvidence } from './enrich/cluster-evidence.ts';
import { createEnricher, UNASKING } from './enrich/enricher.ts';
import { recordedEvidence, type Evidence } from './enrich/evidence.ts';
import type { Enricher } from './enrich/involved.ts';
import { ConfigError } from './errors.ts';
import { complaintsOf, judged, type Health } from './health.ts';
import { startHeartbeat, type Heartbeat } from './heartbeat.ts';
import { keepHouse, tellOfOrphans } from './housekeeping.ts';
import { stopDrained } from './in-memory.ts';
import { lead } from './lease/lead.ts';
import type { Leadership } from './lease/leadership.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { openState } from './open-state.ts';
import { connect, type Connection } from './source/connect.ts';
import { Discovery } from './source/discovery.ts';
import { createSource, type ClusterSource } from './source/kubernetes-source.ts';
import { createRedactor, type Redactor } from './source/redact.ts';
import { redactStored } from './source/redact-stored.ts';
import type { WatchPlan } from './source/watch-plan.ts';
import type { Store } from './store/store.ts';
import { watchRequests } from './watch-requests.ts';
import { startWeb, type Web } from './web/server.ts';

export interface AppOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Where the `log` handler writes. */
  readonly stdout: NodeJS.WritableStream;
  readonly env: NodeJS.ProcessEnv;
  /** `host:port` of the health and metrics endpoints; undefined: none. */
  readonly listen?: string | undefined;
  readonly clock?: Clock;
  /** Keep the state in memory only: nothing survives the process. */
  readonly storeFile?: ':memory:';
  /** The same where the state folder cannot be written, instead of refusing to start. */
  readonly orInMemory?: boolean;
}

export interface App {
  /**
   * Resolves when everything runs (the lists may still be under way); keeps trying while the cluster cannot be reached.
   * Throws ConfigError for what the user can mend, and rejects when {@link stop} is called meanwhile. After a throw,
   * {@link stop} cleans up.
   */
  start(): Promise<void>;
  /**
   * Goes on with another configuration: chains and scopes that are the same are not touched, the others end what they do and
   * begin again; no change is lost or told twice. Calls are served one after the other.
   * @throws ConfigError when it cannot be used, or only by a restart: the old one goes on then
   */
  reload(config: Config): Promise<void>;
  /** The file on disk is not what runs: shown in {@link health} until a reload succeeds. */
  reloadFailed(problems: readonly string[]): void;
  /** Source first, then the chains drain for at most `graceMs` (default 22 s), then the rest. Idempotent. */
  stop(graceMs?: number): Promise<void>;
  health(): Health;
  readonly store: Store;
  readonly metrics: Metrics;
  /** `host:port` where the endpoints listen. */
  readonly listening: string | undefined;
  /** Resolves when every scope has settled and no chain has anything due. */
  idle(): Promise<void>;
  /** Rejects when the service cannot go on, such as when the store fails; never resolves. */
  readonly failed: Promise<never>;
}

const DEFAULT_GRACE_MS = 22_000;
/** How long a start that is under way may take to notice that it is to stop; a handler that is starting may take longer. */
const START_GIVES_UP_MS = 5_000;
/** How long a chain whose handlers changed may end what it is doing; what takes longer begins again with the new ones. */
const RELOAD_GRACE_MS = 5_000;

export function createApp(options: AppOptions): App {
  return new Application(options);
}

class Application implements App {
  readonly metrics = createMetrics();
  readonly #options: AppOptions;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  /** What was started, in order; stopped in reverse. */
  readonly #started: { readonly name: string; stop(graceMs: number): Promise<unknown> }[] = [];
  readonly #failure = Promise.withResolvers<never>();
  #phase: Health['phase'] = 'connecting';
  #inMemory = false;
  #stateFolder: string | undefined;
  #store: Store | undefined;
  #discovery: Discovery | undefined;
  #source: ClusterSource | undefined;
  #config: Config;
  #redactionKey: Uint8Array = new Uint8Array();
  /** The last one: what is watched, stored and looked up shares it. */
  #redactorMade: { readonly rules: Config['redact']; readonly redactor: Redactor } | undefined;
  #configProblem: string | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #web: Web | undefined;
  #connection: Connection | undefined;
  #leadership: Leadership | undefined;
  #steppedDown: Promise<void> | undefined;
  #chains: RunningChains | undefined;
  #receivers: Receivers | undefined;
  #heartbeat: Heartbeat | undefined;
  #starting: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: AppOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#clock = options.clock ?? systemClock;
    this.metrics.configReloaded.set(1);
    // Whoever waits for it is told; nobody has to.
    this.#failure.promise.catch(() => {});
  }

  get failed(): Promise<never> {
    return this.#failure.promise;
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error('The store is not open yet: await start() first');
    return this.#store;
  }

  get listening(): string | undefined {
    return this.#web?.address;
  }

  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  reload(config: Config): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload(config));
    this.#reloading = reloaded.catch(() => undefined);
    return reloaded;
  }

  reloadFailed(problems: readonly string[]): void {
    this.#configProblem = problems.join('; ');
    this.metrics.configReloads.inc({ outcome: 'failed' });
    this.metrics.configReloaded.set(0);
  }

  stop(graceMs: number = DEFAULT_GRACE_MS): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  health(): Health {
    const scopes = (this.#source?.health() ?? []).map((scope) => judged(scope, this.#clock.now()));
    const degraded = scopes.filter((scope) => scope.state === 'degraded');
    const settled =
      scopes.length > 0 && scopes.every((scope) => scope.state === 'watching' || scope.state === 'degraded');
    const watching = scopes.some((scope) => scope.state === 'watching');
    return {
      ready: this.#phase === 'running' && settled && watching,
      phase: this.#phase,
      degraded,
      scopes,
      configProblem: this.#configProblem,
    };
  }

  async idle(): Promise<void> {
    await this.#source?.settled();
    await this.#chains?.idle();
  }

  /** Each stage is noted as soon as it stands, and after each it is asked whether to go on: {@link #stop} stops what stands. */
  async #start(): Promise<void> {
    const { config, env, log } = this.#options;
    const { signal } = this.#stopping;
    await this.#listen();
    const connection = await connect({ config: config.cluster, env, log, clock: this.#clock, signal });
    this.#connection = connection;
    this.#onStop('api client', () => connection.api.close());
    signal.throwIfAborted();
    await this.#lead(connection);
    signal.throwIfAborted();
    this.#phase = 'starting';
    const store = await this.#openState(connection);
    this.#store = store;
    signal.throwIfAborted();
    const discovery = new Discovery(connection.api, { clock: this.#clock, signal });
    this.#discovery = discovery;
    // Before a chain can send, or a scope compare, what the rules would hide.
    await redactStored({ store, redactor: this.#redactor(config), discovery, log });
    signal.throwIfAborted();
    await this.#startChains(store, connection, discovery);
    await this.#startSource(store, connection, discovery);
    signal.throwIfAborted();
    const clock = this.#clock;
    await tellOfOrphans(store, config.chains, log);
    const tidied = keepHouse({ store, clock, log, metrics: this.metrics, stateFolder: this.#stateFolder, signal });
    tidied.catch((error: unknown) => this.#failure.reject(error));
    this.#onStop('housekeeping', () => tidied.catch(() => undefined));
    this.#phase = 'running';
    this.#onStop('heartbeat', async () => this.#heartbeat?.stop());
    await this.#beat(config);
    log.info('Started', { cluster: connection.clusterName, chains: config.chains.map((chain) => chain.name) });
  }

  async #listen(): Promise<void> {
    const { listen, log } = this.#options;
    if (listen === undefined) return;
    const outlook = {
      log,
      clock: this.#clock,
      metrics: this.metrics,
      config: () => this.#config,
      health: () => this.health(),
      receivers: () => this.#receivers?.states() ?? [],
      clusterName: () => this.#connection?.clusterName,
      store: () => this.#store,
      api: () => this.#connection?.api,
    };
    this.#web = await startWeb({ listen, outlook, settings: this.#config.web });
    this.#onStop('web', async () => this.#web?.close());
  }

  /** A kind that the cluster does not serve, or a handler that does not start, shows before anything has changed for good. */
  async #reload(config: Config): Promise<void> {
    const source = this.#source;
    const chains = this.#chains;
    const discovery = this.#discovery;
    if (this.#phase !== 'running' || source === undefined || chains === undefined || discovery === undefined) {
      throw new ConfigError(['The service is not running yet: the changed configuration is not read']);
    }
    refuseWhatNeedsRestart(this.#config, config);
    const plan = await source.prepare(this.#planOf(config));
    const { added, removed, changed } = await chains.follow(config.chains, RELOAD_GRACE_MS);
    await source.follow(plan);
    await redactStored({ store: this.store, redactor: plan.redactor, discovery, log: this.#options.log });
    await tellOfOrphans(this.store, config.chains, this.#options.log);
    if (!isDeepStrictEqual(config.heartbeat, this.#config.heartbeat)) await this.#beat(config);
    this.#config = config;
    this.#configProblem = undefined;
    this.metrics.configReloads.inc({ outcome: 'done' });
    this.metrics.configReloaded.set(1);
    this.#options.log.info('Configuration reloaded', { file: config.file, added, removed, changed });
  }

  #planOf(config: Config): WatchPlan {
    const { whileAway, existing } = config;
    return { requests: watchRequests(config), redactor: this.#redactor(config), whileAway, existing };
  }

  #redactor({ redact: rules }: Config): Redactor {
    if (this.#redactorMade?.rules !== rules)
      this.#redactorMade = { rules, redactor: createRedactor(rules, this.#redactionKey) };
    return this.#redactorMade.redactor;
  }

  /** Nothing of the state is touched before, and the Lease is given back when all else has ended. */
  async #lead(connection: Connection): Promise<void> {
    const { lease } = this.#config;
    if (lease === undefined) return;
    this.#phase = 'standby';
    const { metrics } = this;
    const { log } = this.#options;
    const leadership = await lead({
      lease,
      connection,
      clock: this.#clock,
      log,
      metrics,
      signal: this.#stopping.signal,
    });
    this.#leadership = leadership;
    this.#onStop('lease', () => leadership.release());
    leadership.lost.catch((error: unknown) => this.#stepDown(error));
  }

  /** Another may work soon: what is under way is given up at once, before the other stages stop. */
  #stepDown(why: unknown): void {
    this.#steppedDown = this.#chains?.stop(0);
    this.#failure.reject(why);
  }

  async #openState(connection: Connection): Promise<Store> {
    const { config, ...options } = this.#options;
    const term = this.#leadership?.term;
    const state = await openState({ ...options, config: config.state, connection, clock: this.#clock, term });
    this.#redactionKey = state.redactionKey;
    this.#inMemory = state.isMakeshift;
    this.#stateFolder = state.folder;
    this.#onStop('state', () => state.close());
    return state.store;
  }

  async #startChains(store: Store, connection: Connection, discovery: Discovery): Promise<void> {
    const { config, log, stdout, env } = this.#options;
    const receivers = createReceivers({ clock: this.#clock, metrics: this.metrics, log, env });
    this.#receivers = receivers;
    this.#onStop('receivers', () => receivers.close());
    const tracer = await this.#tracer(receivers, connection);
    const enricher = this.#enricher(store, connection, discovery);
    const { clusterName } = connection;
    const evidence = this.#evidence(store, connection);
    const common = {
      store,
      clusterName,
      receivers,
      clock: this.#clock,
      metrics: this.metrics,
      stdout,
      tracer,
      enricher,
      evidence,
      mayWork: () => this.#leadership?.isHeld() ?? true,
    };
    const onForked = (names: readonly string[]): void => this.#chains?.kick(names);
    const chains = new RunningChains((chain) => createChainTree({ chain, log, onForked, ...common }));
    this.#chains = chains;
    this.#onStop('chains', async (graceMs) => {
      await this.#steppedDown;
      await (this.#inMemory ? stopDrained({ chains, store, clock: this.#clock, log }, graceMs) : chains.stop(graceMs));
    });
    await chains.follow(config.chains, 0);
    this.#stopping.signal.throwIfAborted();
  }

  /** Loaded only where it was asked for. */
  async #tracer(receivers: Receivers, { clusterName }: Connection): Promise<Tracer | undefined> {
    const { tracing: config } = this.#config;
    if (config === undefined) return undefined;
    const { createTracer } = await import('./tracing/tracer.ts');
    const [{ log }, { metrics }, clock] = [this.#options, this, this.#clock];
    const tracer = createTracer({ config, clusterName, receivers, clock, log, metrics });
    this.#onStop('tracing', () => tracer.stop());
    return tracer;
  }

  #enricher(store: Store, { api }: Connection, discovery: Discovery): Enricher {
    const { enabled, requestsPerSecond, burst } = this.#config.lookup;
    if (!enabled) return UNASKING;
    const { log } = this.#options;
    const redactor = () => this.#redactor(this.#config);
    const around = { store, redactor, clock: this.#clock, log, metrics: this.metrics };
    return createEnricher({ api, discovery, ...around, perSecond: requestsPerSecond, burst });
  }

  #evidence(store: Store, { api }: Connection): Evidence {
    const secretNames = () => this.#config.redact.envNames;
    if (!this.#config.lookup.enabled) return recordedEvidence(store, secretNames);
    return createEvidence({ api, store, secretNames, clock: this.#clock, log: this.#options.log });
  }

  async #startSource(store: Store, connection: Connection, discovery: Discovery): Promise<void> {
    const { config, log } = this.#options;
    const source = createSource({
      api: connection.api,
      discovery,
      store,
      ...this.#planOf(config),
      identityIsCertain: connection.identity.by === 'kube-system',
      clock: this.#clock,
      maxSilenceMs: config.cluster.maxSilenceMs,
      log,
      metrics: this.metrics,
      onAccepted: (chains) => this.#chains?.kick(chains),
    });
    this.#source = source;
    this.#onStop('source', () => source.stop());
    await source.start();
  }

  /** From now on as this configuration says. */
  async #beat({ heartbeat: config }: Config): Promise<void> {
    await this.#heartbeat?.stop();
    const [source, receivers] = [this.#source, this.#receivers];
    if (config === undefined || source === undefined || receivers === undefined) return;
    const complaints = () => complaintsOf(this.health(), receivers.states());
    const [{ log }, { metrics }, clock, settled] = [this.#options, this, this.#clock, source.settled()];
    this.#heartbeat = startHeartbeat({ config, settled, complaints, receivers, clock, log, metrics });
  }

  #onStop(name: string, stop: (graceMs: number) => Promise<unknown>): void {
    this.#started.push({ name, stop });
  }

  async #stop(graceMs: number): Promise<void> {
    const { log } = this.#options;
    this.#phase = 'stopping';
    this.#stopping.abort(new Error('The service is stopping'));
    // What it has begun cannot be stopped before it stands.
    const begun = Promise.all([this.#starting?.catch(() => undefined), this.#reloading]);
    await atMost(this.#clock, START_GIVES_UP_MS, begun);
    for (const stage of this.#started.toReversed()) {
      try {
        await stage.stop(graceMs);
      } catch (error) {
        log.error('A stage did not stop cleanly', { stage: stage.name, error: String(error) });
      }
    }
  }
}

/** @throws ConfigError that names what can only change by a restart */
function refuseWhatNeedsRestart(old: Config, config: Config): void {
  const fixed = READ_ONCE.filter((part) => !isDeepStrictEqual(old[part], config[part]));
  if (fixed.length === 0) return;
  throw new ConfigError(fixed.map((part) => `${config.file}: [${part}] has changed: restart to use it`));
}
