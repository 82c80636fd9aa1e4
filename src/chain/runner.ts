/** Claims due deliveries of one chain from the store, runs them, and makes their ends durable. */
import { waitAtMost, type Clock } from '../clock.ts';
import type { ChainConfig } from '../config/config.ts';
import { SECRET_ENV_NAMES } from '../source/name-matcher.ts';
import type { ReceiverFactory } from '../delivery/receiver.ts';
import { OFFLINE_ENRICHER } from '../enrich/enricher.ts';
import { recordedEvidence, type Evidence } from '../enrich/evidence.ts';
import type { Enricher } from '../enrich/involved.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Batch, Delivery, Joined } from '../store/delivery.ts';
import type { Store } from '../store/store.ts';
import { attempt, type AttemptOptions } from './attempt.ts';
import { runBatch } from './batch.ts';
import type { CallEnvironment } from './call.ts';
import { Claims } from './claims.ts';
import { RunningCalls } from './deadline.ts';
import { FateWriter } from './fate-writer.ts';
import { HandlerFailure, isStopped, STOPPED } from './failure.ts';
import type { Fallbacks } from './fallback.ts';
import { fateOf, type Failed, type Outcome } from './fate.ts';
import { Gathering, type Gather } from './gathering.ts';
import { runGroup } from './group-run.ts';
import { HeldWrites } from './held-writes.ts';
import { startAll, stopAll } from './life.ts';
import { createObserver, type Observer, type Tracer } from './observe.ts';
import { Persistence } from './persistence.ts';
import { runOnce, type RunResult, type RetryOptions } from './retry.ts';
import { isSetAside, setAside } from './set-aside.ts';
import { Slots } from './slots.ts';
import { canGather, checkGroups, createStep, type Step } from './step.ts';

export interface ChainRunnerOptions {
  readonly chain: ChainConfig;
  readonly store: Store;
  readonly clusterName: string;
  readonly receivers: ReceiverFactory;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly stdout: NodeJS.WritableStream;
  /** Default: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** Default: knows only what is in the change itself. */
  readonly enricher?: Enricher;
  /** Default: what was recorded, hiding secrets by the default names. */
  readonly evidence?: Evidence;
  /** Asked before each handler call; if false, the change is released unchanged. Default: always true. */
  readonly mayWork?: (() => boolean) | undefined;
  /** 0 to 1, for the jitter of deferrals. Default Math.random. */
  readonly random?: () => number;
  /** Called when these branches, or the chain for dead letters, have been given a change. */
  readonly onForked?: (branches: readonly string[]) => void;
}

export interface ChainRunner {
  /**
   * Starts the handlers in order, then takes work once `claimAfter`, which must not reject, resolves (by default at once).
   * @throws if a handler does not start, or {@link stop} is called meanwhile, which cuts off a starting one; all are stopped then
   */
  start(claimAfter?: Promise<void>): Promise<void>;
  /** To be called when there may be work. Cheap, and safe at any time. */
  kick(): void;
  /**
   * Takes no more work, lets running changes end for up to `graceMs`, then aborts and releases them: they run again after the
   * next start. Stops the handlers. Called again, whichever period ends first counts.
   */
  stop(graceMs: number): Promise<void>;
  /** Resolves when nothing runs and nothing is due now. */
  idle(): Promise<void>;
}

/**
 * How long ends wait to share a commit (see {@link HeldWrites}). They keep their slots meanwhile, so that a crash repeats no
 * more than otherwise; if no slot is left, they wait less.
 */
const MAX_HELD_MS = 10;
const MAX_HELD_WHEN_FULL_MS = 2;

export function createChainRunner(options: ChainRunnerOptions): ChainRunner {
  return new Runner(options);
}

class Runner implements ChainRunner {
  readonly #options: ChainRunnerOptions;
  readonly #log: Logger;
  readonly #observer: Observer;
  readonly #environment: CallEnvironment;
  readonly #retry: RetryOptions;
  readonly #persistence: Persistence;
  readonly #fateWriter: FateWriter;
  /** Writes of ends that wait to share a commit. */
  readonly #heldWrites: HeldWrites;
  /** All handlers, including the fallbacks. */
  readonly #handlers: Step[] = [];
  #steps: readonly Step[] = [];
  #fallbacks: Fallbacks = new Map();
  #state: 'new' | 'running' | 'stopped' = 'new';
  #canClaim = false;
  readonly #claims: Claims;
  readonly #slots: Slots;
  #gatherings: ReadonlyMap<string, Gathering> = new Map();
  readonly #calls: RunningCalls;
  readonly #starting = new RunningCalls();
  readonly #idleWaiters: (() => void)[] = [];
  #drained: Promise<void> = Promise.resolve();

  constructor(options: ChainRunnerOptions) {
    const { chain, store, clock, log, metrics, random = Math.random } = options;
    const { enricher = OFFLINE_ENRICHER, evidence = recordedEvidence(store, () => SECRET_ENV_NAMES) } = options;
    this.#options = options;
    this.#calls = new RunningCalls(() => (options.mayWork?.() === false ? STOPPED : undefined));
    this.#log = log.child({ chain: chain.name });
    this.#environment = { clock, log: this.#log, calls: this.#calls, enricher, evidence };
    this.#retry = { retry: chain.retry, clock, random };
    this.#observer = createObserver(chain.name, { clock, log: this.#log, metrics, tracer: options.tracer });
    this.#persistence = new Persistence(clock, this.#log);
    this.#fateWriter = new FateWriter({ ...options, log: this.#log });
    this.#heldWrites = new HeldWrites(clock);
    this.#slots = new Slots(chain.concurrency, () => this.#startRuns());
    this.#claims = this.#createClaims();
  }

  async start(claimAfter?: Promise<void>): Promise<void> {
    const { chain, clock, store } = this.#options;
    try {
      this.#createHandlers();
      await startAll(this.#handlers, { clock, calls: this.#starting });
      // On a full disk it cannot be written: then the waits end as planned.
      await store.endWaits(chain.name).catch(() => undefined);
      if (this.#state === 'stopped') throw STOPPED;
    } catch (thrown) {
      await stopAll(this.#handlers, { clock, log: this.#log });
      throw thrown;
    }
    this.#state = 'running';
    this.#canClaim = claimAfter === undefined;
    this.kick();
    void claimAfter?.then(() => {
      this.#canClaim = true;
      this.kick();
    });
  }

  /** Those created before one that throws are in `#handlers`. */
  #createHandlers(): void {
    const { chain, store, clusterName, clock, receivers, stdout, metrics } = this.#options;
    const { counters } = metrics;
    const environment = { store, clusterName, clock, receivers, counters, stdout, log: this.#log };
    for (const handler of chain.handlers) this.#handlers.push(createStep(handler, environment));
    const fallbackIds = new Set(chain.handlers.map(({ fallback }) => fallback?.id));
    this.#steps = this.#handlers.filter(({ id }) => !fallbackIds.has(id));
    this.#fallbacks = new Map(
      this.#handlers.flatMap((step) => (step.type === 'sink' && fallbackIds.has(step.id) ? [[step.id, step]] : [])),
    );
    checkGroups(this.#steps);
    this.#gatherings = new Map(
      this.#steps
        .filter(canGather)
        .map((step) => [step.id, new Gathering({ clock, window: step.window, awayFrom: chain.awayFrom })]),
    );
  }

  kick(): void {
    this.#heldWrites.flush();
    if (this.#state === 'running' && this.#canClaim) this.#claims.kick();
  }

  async idle(): Promise<void> {
    this.kick();
    await this.#untilIdle();
  }

  async stop(graceMs: number): Promise<void> {
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    if (wasRunning) this.#drained = this.#drain();
    await waitAtMost(this.#options.clock, graceMs, this.#drained);
    this.#persistence.giveUp();
    this.#starting.abort(STOPPED);
    this.#calls.abort(STOPPED);
    await this.#drained;
  }

  /** Lets what runs end, however long it takes. */
  async #drain(): Promise<void> {
    const { clock } = this.#options;
    this.#claims.stop();
    this.#heldWrites.flush();
    const released = this.#releaseReady();
    await this.#untilIdle();
    await Promise.all([released, this.#releaseReady()]);
    await stopAll(this.#handlers, { clock, log: this.#log });
  }

  #createClaims(): Claims {
    const { chain, store, clock } = this.#options;
    return new Claims({
      chain,
      store,
      clock,
      persistence: this.#persistence,
      coalesce: chain.coalesce && !hasStatefulHandler(chain),
      lentSlots: () => this.#slots.lent,
      gathers: () => this.#gatherings.size > 0,
      onClaimed: ({ superseded }) => {
        if (superseded > 0) this.#observer.superseded(superseded);
        this.#startRuns();
      },
      onDrained: () => {
        for (const gathering of this.#gatherings.values()) gathering.drained();
      },
      onIdle: () => this.#notifyWhenIdle(),
    });
  }

  /** Begins whatever may run; a batch first, as it has waited. */
  #startRuns(): void {
    while (this.#state === 'running' && !this.#slots.isFull) {
      const run = this.#nextRun();
      if (run === undefined) return;
      void this.#slots.runInSlot(run).finally(() => this.#notifyWhenIdle());
    }
  }

  #nextRun(): (() => Promise<void>) | undefined {
    const batch = this.#claims.nextBatch();
    if (batch !== undefined) return () => this.#runBatch(batch);
    const [delivery, ...behind] = this.#claims.next() ?? [];
    if (delivery === undefined) return undefined;
    return behind.length === 0
      ? async () => this.#settle(delivery, await this.#run(delivery))
      : () => this.#runGroup([delivery, ...behind]);
  }

  async #run(delivery: Delivery, gather = this.#gather): Promise<RunResult<Outcome>> {
    return isSetAside(delivery)
      ? setAside(delivery, this.#steps[0]?.id ?? this.#options.chain.name)
      : runOnce(delivery, () => this.#attempt(delivery, gather), this.#retry);
  }

  #runGroup(deliveries: readonly Delivery[]): Promise<void> {
    const { clock, store } = this.#options;
    return runGroup(deliveries, {
      clock,
      canContinue: () => this.#state === 'running',
      run: (delivery) => this.#run(delivery),
      settle: (delivery, runResult) => this.#settle(delivery, runResult),
      release: (delivery) => this.#fateWriter.release(delivery),
      endAll: async (halted, writes, next) => {
        const ends = halted.map(({ delivery, completion }) => ({ delivery: delivery.id, end: completion.end }));
        const write = () => store.completeAll(ends, writes, next?.id);
        const hasMore = await this.#writeTogether(() => this.#persistence.keepTrying('end changes', write));
        if (hasMore === undefined) {
          await Promise.all(halted.map(({ delivery }) => this.#fateWriter.release(delivery)));
          return false;
        }
        if (hasMore || this.#claims.hasMore) this.kick();
        for (const { delivery, completion } of halted) this.#observer.fate(delivery, completion);
        return true;
      },
    });
  }

  async #runBatch(batch: Batch): Promise<void> {
    const at = this.#steps.findIndex(({ id }) => id === batch.handler);
    const step = this.#steps[at];
    const gathering = this.#gatherings.get(batch.handler);
    await runBatch(batch, {
      environment: this.#environment,
      retry: this.#retry,
      store: this.#options.store,
      persistence: this.#persistence,
      observer: this.#observer,
      fallbacks: this.#fallbacks,
      sink: step === undefined || !canGather(step) || gathering === undefined ? undefined : { step, gathering },
      later: this.#steps.slice(at + 1).map(({ id }) => id),
      concurrency: this.#options.chain.concurrency,
      gather: this.#gather,
      run: (delivery, gather) => this.#run(delivery, gather),
      settle: (delivery, runResult) => this.#settle(delivery, runResult),
      release: (delivery) => this.#fateWriter.release(delivery),
    });
    this.#claims.batchEnded();
    this.kick();
  }

  #attempt(delivery: Delivery, gather: Gather): Promise<Outcome> {
    const options: AttemptOptions = {
      steps: this.#steps,
      hasBranches: this.#options.chain.branches.length > 0,
      environment: this.#environment,
      observer: this.#observer.attempt(delivery),
      gather,
      join: (handler, group) => this.#join(delivery, handler, group),
      fallbacks: this.#fallbacks,
      checkpoint: (handler: string) =>
        this.#persistence.keepTrying('record a delivery', () => this.#options.store.checkpoint(delivery.id, handler)),
    };
    return attempt(delivery, options);
  }

  async #join({ id }: Delivery, handler: string, group: string): Promise<Joined['states']> {
    const { store } = this.#options;
    const joined = await this.#slots.lend(
      this.#persistence.keepTrying('join a group', () => store.join(id, group, [handler])),
    );
    if (joined === undefined) throw new HandlerFailure(handler, STOPPED);
    if (joined.freed) this.kick();
    return joined.states;
  }

  async #settle(delivery: Delivery, runResult: RunResult<Outcome>): Promise<void> {
    const fate = runResult.kind === 'done' ? fateOf(delivery, runResult.result) : this.#keptApart(runResult);
    if (fate === undefined) return this.#claims.hasMore ? this.kick() : undefined;
    if ('failure' in fate && isStopped(fate.failure)) return this.#fateWriter.release(delivery, true);
    const hasMore = await this.#writeTogether(() =>
      this.#persistence.keepTrying('end a change', () => this.#fateWriter.write(delivery, fate)),
    );
    if (hasMore === undefined) return this.#fateWriter.release(delivery, true);
    // Most changes have no successor: claiming after each would double the cost of a lone change.
    if (hasMore || this.#claims.hasMore) this.kick();
    this.#observer.fate(delivery, fate);
  }

  /** A message that failed may have arrived: within another, under its key, a receiver could not recognise the repetition. */
  #keptApart(failed: Failed): Failed {
    if (failed.kind === 'dead' || failed.why !== 'failed' || failed.park.gather !== undefined) return failed;
    const canBeGathered = this.#gatherings.has(failed.failure.handler);
    return canBeGathered ? { ...failed, park: { ...failed.park, isAlone: true } } : failed;
  }

  /** Writes with the next accept, when half of the slots are held, or soon; at once if someone waits for quiet. */
  #writeTogether<T>(write: () => Promise<T>): Promise<T> {
    const { chain } = this.#options;
    const isFull = this.#claims.hasReady || this.#slots.isFull;
    const written = this.#heldWrites.add(write, isFull ? MAX_HELD_WHEN_FULL_MS : MAX_HELD_MS);
    const isAwaited = this.#state !== 'running' || this.#idleWaiters.length > 0;
    if (isAwaited || this.#heldWrites.size >= chain.concurrency / 2) this.#heldWrites.flush();
    return written;
  }

  readonly #gather: Gather = {
    wait: (sink, change) => this.#gatherings.get(sink)?.wait(change),
    rateLimited: (sink, until) => this.#gatherings.get(sink)?.rateLimited(until),
  };

  async #releaseReady(): Promise<void> {
    await Promise.all(this.#claims.takeAll().map((delivery) => this.#fateWriter.release(delivery)));
  }

  get #isIdle(): boolean {
    return (
      this.#slots.running + this.#slots.lent === 0 &&
      !this.#claims.isClaiming &&
      (this.#state !== 'running' || this.#claims.isEmpty)
    );
  }

  async #untilIdle(): Promise<void> {
    if (this.#isIdle) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idleWaiters.push(resolve);
    await promise;
  }

  #notifyWhenIdle(): void {
    if (!this.#isIdle) return;
    for (const notify of this.#idleWaiters.splice(0)) notify();
  }
}

/** Whether the chain or a branch has a stateful handler, which must see every change. */
function hasStatefulHandler({ handlers, branches }: ChainConfig): boolean {
  return handlers.some(({ definition }) => definition.type === 'stateful') || branches.some(hasStatefulHandler);
}
