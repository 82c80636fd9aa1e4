/**
 * The service as one object: connects, waits for the Lease, opens the state, runs the pipeline and everything beside it
 * (endpoints, housekeeping, heartbeat), applies a changed configuration, and stops.
 */
import { isDeepStrictEqual } from 'node:util';
import { waitAtMost, systemClock, type Clock } from './clock.ts';
import { READ_ONCE, type Config } from './config/config.ts';
import { ConfigError } from './errors.ts';
import { healthProblems, markStale, type Health } from './health.ts';
import { startHeartbeat, type Heartbeat } from './app/heartbeat.ts';
import { runHousekeeping } from './app/housekeeping.ts';
import type { ChainsChanged } from './chain/running-chains.ts';
import { lead } from './lease/lead.ts';
import type { Leadership } from './lease/leadership.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { openState, type OpenState } from './app/open-state.ts';
import { Pipeline } from './app/pipeline.ts';
import { assertFolderUsable } from './app/preflight.ts';
import { connect, type Connection } from './source/connect.ts';
import { Stages } from './app/stages.ts';
import { assertCanStart } from './app/trial.ts';
import type { Store } from './store/store.ts';
import { startWeb, type Web } from './web/server.ts';

export interface AppOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Where the `log` handler writes. */
  readonly stdout: NodeJS.WritableStream;
  readonly env: NodeJS.ProcessEnv;
  /** `host:port` of the health and metrics endpoints; undefined for none. */
  readonly listen?: string | undefined;
  readonly clock?: Clock | undefined;
  /** Keep the state in memory only; it is lost when the process ends. */
  readonly storeFile?: ':memory:' | undefined;
  /** Keep it in memory if the state folder is not writable, instead of refusing to start. */
  readonly allowInMemory?: boolean;
}

export interface App {
  /**
   * Resolves when everything runs (the lists may still be under way); keeps trying while the cluster cannot be reached.
   * Throws ConfigError for problems the user can fix, and rejects if {@link stop} is called meanwhile. After a throw,
   * {@link stop} cleans up.
   * @param catchUp called once the Lease, if any, is held; resolves when {@link reload} has been given all changes made by then
   */
  start(catchUp?: () => Promise<void>): Promise<void>;
  /**
   * Switches to another configuration: unchanged chains and scopes are left alone, the others finish what they are doing and
   * start again; no change is lost or reported twice. A service still waiting for the cluster or the Lease starts with the new
   * configuration. Calls run one after the other.
   * @throws ConfigError if it cannot be used, or only by a restart; the old one stays in use
   */
  reload(config: Config): Promise<void>;
  /** Records that the file on disk is not the configuration in use: shown in {@link health} until a reload succeeds. */
  reloadFailed(problems: readonly string[]): void;
  /** Stops the source, lets the chains drain for at most `graceMs` (default 22 s), then stops the rest. Idempotent. */
  stop(graceMs?: number): Promise<void>;
  health(): Health;
  readonly store: Store;
  readonly metrics: Metrics;
  /** `host:port` where the endpoints listen. */
  readonly listening: string | undefined;
  /** Resolves when every scope has settled and no chain has anything due. */
  idle(): Promise<void>;
  /** Rejects when the service cannot continue, for example because the store failed; never resolves. */
  readonly failed: Promise<never>;
}

const DEFAULT_GRACE_MS = 22_000;
/** How long {@link App.stop} waits for a start in progress before it stops what is up, and cuts off a handler that is starting. */
const PENDING_START_GRACE_MS = 5_000;

export function createApp(options: AppOptions): App {
  return new Application(options);
}

class Application implements App {
  readonly metrics = createMetrics(() => this.health().scopes);
  readonly #options: AppOptions;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #stages = new Stages();
  readonly #failure = Promise.withResolvers<never>();
  /** The one in use. */
  #config: Config;
  #configProblem: string | undefined;
  #phase: Health['phase'] = 'connecting';
  #connection: Connection | undefined;
  #leadership: Leadership | undefined;
  #store: Store | undefined;
  /** The endpoints outlive the open state: after it is closed they answer as before it was opened. */
  #isStateOpen = false;
  #pipeline: Pipeline | undefined;
  #heartbeat: Heartbeat | undefined;
  #web: Web | undefined;
  #reloading: Promise<void> = Promise.resolve();
  #starting: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: AppOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#clock = options.clock ?? systemClock;
    this.metrics.configReloaded.set(1);
    // Not waiting for it is allowed, and must not be an unhandled rejection.
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

  start(catchUp = () => Promise.resolve()): Promise<void> {
    this.#starting ??= this.#start(catchUp);
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
    const scopes = (this.#pipeline?.scopes() ?? []).map((scope) => markStale(scope, this.#clock.now()));
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
    await this.#pipeline?.idle();
  }

  /** Registers each stage as soon as it is up, so that {@link #stop} can stop it, and checks for an abort after each. */
  async #start(catchUp: () => Promise<void>): Promise<void> {
    const { env, log } = this.#options;
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    await assertFolderUsable({ ...this.#options, config: this.#config });
    await this.#listen();
    const connection = await connect({ config: this.#config.cluster, env, log, clock: this.#clock, signal });
    this.#connection = connection;
    this.#stages.add('api client', () => connection.api.close());
    signal.throwIfAborted();
    await this.#lead(connection);
    signal.throwIfAborted();
    // Starting with an outdated configuration would forget what a newer one had recorded, such as a kind that it added.
    await catchUp();
    signal.throwIfAborted();
    this.#phase = 'starting';
    const state = await this.#openState(connection);
    signal.throwIfAborted();
    const pipeline = this.#createPipeline(connection, state);
    this.#pipeline = pipeline;
    await pipeline.start();
    this.#startHousekeeping(state);
    this.#phase = 'running';
    this.#stages.add('heartbeat', async () => this.#heartbeat?.stop());
    const { chains } = this.#config;
    await this.#restartHeartbeat(this.#config, pipeline);
    log.info('Started', {
      cluster: connection.clusterName,
      chains: chains.map((chain) => chain.name),
      state: state.folder ?? 'in memory',
    });
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
      receivers: () => this.#pipeline?.receivers.states() ?? [],
      clusterName: () => this.#connection?.clusterName,
      store: () => (this.#isStateOpen ? this.#store : undefined),
      api: () => this.#connection?.api,
    };
    this.#web = await startWeb({ listen, service: outlook, settings: this.#config.web });
    this.#stages.add('web', async () => this.#web?.close());
  }

  /** The state is not touched before the Lease is held, and the Lease is released after everything else has stopped. */
  async #lead(connection: Connection): Promise<void> {
    const { lease } = this.#config;
    if (lease === undefined) return;
    this.#phase = 'standby';
    const { log } = this.#options;
    const { signal } = this.#stopping;
    const leadership = await lead({ lease, connection, clock: this.#clock, log, metrics: this.metrics, signal });
    this.#leadership = leadership;
    this.#stages.add('lease', () => leadership.release());
    leadership.lost.catch((error: unknown) => {
      this.#pipeline?.abandon();
      this.#failure.reject(error);
    });
  }

  async #openState(connection: Connection): Promise<OpenState> {
    const term = this.#leadership?.term;
    const config = this.#config.state;
    const state = await openState({ ...this.#options, config, connection, clock: this.#clock, term });
    this.#store = state.store;
    this.#isStateOpen = true;
    this.#stages.add('state', () => {
      this.#isStateOpen = false;
      return state.close();
    });
    return state;
  }

  #createPipeline(connection: Connection, state: OpenState): Pipeline {
    const { env, log, stdout } = this.#options;
    return new Pipeline({
      config: () => this.#config,
      connection,
      state,
      stages: this.#stages,
      mayWork: () => this.#leadership?.isHeld() ?? true,
      stdout,
      env,
      clock: this.#clock,
      log,
      metrics: this.metrics,
      signal: this.#stopping.signal,
      onFailure: (error) => this.#failure.reject(error),
    });
  }

  #startHousekeeping({ store, folder: stateFolder }: OpenState): void {
    const { log } = this.#options;
    const { signal } = this.#stopping;
    const retention = () => this.#config.history;
    const housekeeping = runHousekeeping({
      store,
      stateFolder,
      retention,
      clock: this.#clock,
      log,
      metrics: this.metrics,
      signal,
    });
    housekeeping.catch((error: unknown) => this.#failure.reject(error));
    this.#stages.add('housekeeping', () => housekeeping.catch(() => undefined));
  }

  async #reload(config: Config): Promise<void> {
    refuseRestartOnlyChanges(this.#config, config);
    // Handlers are not created while waiting; one that cannot start would only end the service once the wait is over.
    if (this.#isWaiting) await assertCanStart(config, this.#options);
    // The start under way uses the previous configuration.
    if (this.#phase === 'starting') await this.#starting;
    const changes = this.#isWaiting ? {} : await this.#reconfigure(config);
    this.#config = config;
    this.#configProblem = undefined;
    this.metrics.configReloads.inc({ outcome: 'done' });
    this.metrics.configReloaded.set(1);
    this.#options.log.info('Configuration reloaded', { file: config.file, ...changes });
  }

  get #isWaiting(): boolean {
    return this.#phase === 'connecting' || this.#phase === 'standby';
  }

  async #reconfigure(config: Config): Promise<ChainsChanged> {
    const pipeline = this.#pipeline;
    if (this.#phase !== 'running' || pipeline === undefined)
      throw new ConfigError(['The service is not running: the changed configuration is not used']);
    const changed = await pipeline.reconfigure(config);
    if (!isDeepStrictEqual(config.heartbeat, this.#config.heartbeat)) await this.#restartHeartbeat(config, pipeline);
    return changed;
  }

  /** (Re)starts the heartbeat as configured. */
  async #restartHeartbeat({ heartbeat: config }: Config, pipeline: Pipeline): Promise<void> {
    await this.#heartbeat?.stop();
    if (config === undefined) return;
    const { log } = this.#options;
    const { receivers } = pipeline;
    const problems = () => healthProblems(this.health(), receivers.states());
    const settled = pipeline.settled();
    const options = {
      config,
      settled,
      healthProblems: problems,
      receivers,
      clock: this.#clock,
      log,
      metrics: this.metrics,
    };
    this.#heartbeat = startHeartbeat(options);
  }

  async #stop(graceMs: number): Promise<void> {
    this.#phase = 'stopping';
    this.#stopping.abort(new Error('The service is stopping'));
    // A stage that is still starting cannot be stopped yet.
    const pending = Promise.all([this.#starting?.catch(() => undefined), this.#reloading]);
    await waitAtMost(this.#clock, PENDING_START_GRACE_MS, pending);
    await this.#stages.stop(graceMs, this.#options.log);
    // Stages that came up after the first stop: nobody else stops them.
    await pending;
    await this.#stages.stop(graceMs, this.#options.log);
  }
}

/** @throws ConfigError that names what can only change by a restart */
function refuseRestartOnlyChanges(old: Config, config: Config): void {
  const fixed = READ_ONCE.filter((part) => !isDeepStrictEqual(old[part], config[part]));
  if (fixed.length === 0) return;
  throw new ConfigError(fixed.map((part) => `${config.file}: [${part}] has changed: restart to use it`));
}
