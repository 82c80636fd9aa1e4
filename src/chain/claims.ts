/** What one chain has taken from the store and not begun: asked for ahead, in as few calls as will do. */
import type { Clock } from '../clock.ts';
import type { ChainConfig } from '../config/config.ts';
import type { Batch, Claimed, Delivery, Store } from '../store/store.ts';
import { Alarm } from './alarm.ts';
import type { Persistence } from './persistence.ts';

export interface ClaimsOptions {
  readonly chain: ChainConfig;
  readonly store: Store;
  readonly clock: Clock;
  readonly persistence: Persistence;
  /** Whether changes that come faster than they are told may be merged. */
  readonly coalesce: boolean;
  /** Deliveries that were begun and wait for the store without a slot: they count as taken. */
  aside(): number;
  /** Whether changes are gathered at a sink of the chain. */
  gathers(): boolean;
  /** Something may be begun. */
  onTaken(claimed: Claimed): void;
  /** None is gathered at any sink now. */
  onDrained(): void;
  /** Nothing is asked for any more, for now. */
  onQuiet(): void;
}

/** Of a group, with the one whose turn it is: each run of a group costs one commit, and its state is read and written once. */
const BEHIND = 31;
/** Claimed at once, so that a busy chain does not ask the store for each change; only `concurrency` of them run. */
const CLAIM_AHEAD = 64;
/** No more are claimed while the manifests of those that wait are as large as this: a receiver that hangs would have each chain hold hundreds of megabytes. */
const AHEAD_BYTES = 4 * 1024 * 1024;

export class Claims {
  readonly #options: ClaimsOptions;
  readonly #stateful: readonly string[];
  readonly #alarm: Alarm;
  /** Single ones, or some of one group in order. */
  #ready: Delivery[][] = [];
  /** One at most: a batch may be large. */
  #batch: Batch | undefined;
  #batchRuns = false;
  #mayHaveGathered = true;
  #isStopped = false;
  #isClaiming = false;
  /** Something happened since the last claim began. */
  #again = false;
  /** The last claim did not ask for all that is due. */
  #leftMore = false;

  constructor(options: ClaimsOptions) {
    const { chain, clock } = options;
    this.#options = options;
    this.#alarm = new Alarm(clock, () => this.kick());
    this.#stateful = chain.handlers.filter(({ definition }) => definition.type === 'stateful').map(({ id }) => id);
  }

  /** There may be work. */
  kick(): void {
    this.#again = true;
    if (!this.#isStopped && !this.#isClaiming) void this.#claimAll();
  }

  /** Takes no more. */
  stop(): void {
    this.#isStopped = true;
    this.#alarm.cancel();
  }

  /** More is due than was asked for: to be kicked when there is room. */
  get leftMore(): boolean {
    return this.#leftMore;
  }

  /** Whether something waits to be begun. */
  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  get #readyBytes(): number {
    return this.#ready.flat().reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get isEmpty(): boolean {
    return !this.hasReady && this.#batch === undefined;
  }

  get isClaiming(): boolean {
    return this.#isClaiming;
  }

  /** The next one, and what is to be run behind it, in order. */
  next(): readonly Delivery[] | undefined {
    return this.#ready.shift();
  }

  /** No other is claimed before {@link batchEnded}. */
  nextBatch(): Batch | undefined {
    const batch = this.#batch;
    this.#batch = undefined;
    this.#batchRuns ||= batch !== undefined;
    return batch;
  }

  batchEnded(): void {
    this.#batchRuns = false;
  }

  /** All that was not begun, to be given back. */
  takeAll(): readonly Delivery[] {
    return [...this.#ready.splice(0).flat(), ...(this.nextBatch()?.deliveries ?? [])];
  }

  async #claimAll(): Promise<void> {
    this.#isClaiming = true;
    while (this.#again && !this.#isStopped) {
      this.#again = false;
      await this.#claim();
    }
    this.#isClaiming = false;
    this.#options.onQuiet();
  }

  async #claim(): Promise<void> {
    const { store, chain, clock, coalesce, persistence } = this.#options;
    const limit = CLAIM_AHEAD - this.#ready.length - this.#options.aside();
    this.#leftMore = limit < CLAIM_AHEAD / 2 || this.#readyBytes >= AHEAD_BYTES;
    if (this.#leftMore) return;
    const batch = this.#mayHaveGathered && this.#batch === undefined && !this.#batchRuns;
    const claimed = await persistence.keepTrying('claim changes', () =>
      store.claim({
        chain: chain.name,
        limit,
        now: clock.steady(),
        wallNow: clock.now(),
        stateful: this.#stateful,
        atOnce: chain.concurrency,
        batch,
        behind: BEHIND,
        coalesce,
      }),
    );
    if (claimed === undefined) return;
    const runs = runsIn(claimed.deliveries);
    this.#ready.push(...runs);
    if (batch) this.#batch = claimed.batch;
    if (batch && !claimed.hasGathered) this.#drained();
    this.#options.onTaken(claimed);
    if (runs.length === limit) this.#again = true;
    if (!this.#isStopped) this.#alarm.set(claimed.nextDueAt);
  }

  /** A chain without a sink that gathers asks once more after its start only: for what an earlier configuration left. */
  #drained(): void {
    this.#options.onDrained();
    this.#mayHaveGathered = this.#options.gathers();
  }
}

/** Those of one group together, in order. */
function runsIn(deliveries: readonly Delivery[]): Delivery[][] {
  const runs: Delivery[][] = [];
  for (const delivery of deliveries) {
    const last = runs.at(-1);
    if (delivery.isBehind && last !== undefined) last.push(delivery);
    else runs.push([delivery]);
  }
  return runs;
}
