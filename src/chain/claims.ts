/** What one chain has claimed from the store but not begun: claimed ahead, in as few calls as possible. */
import type { Clock } from '../clock.ts';
import type { ChainConfig } from '../config/config.ts';
import type { Batch, Claimed, Delivery } from '../store/delivery.ts';
import type { Store } from '../store/store.ts';
import { Alarm } from './alarm.ts';
import type { Persistence } from './persistence.ts';

export interface ClaimsOptions {
  readonly chain: ChainConfig;
  readonly store: Store;
  readonly clock: Clock;
  readonly persistence: Persistence;
  /** Whether changes that come faster than they are delivered may be merged. */
  readonly coalesce: boolean;
  /** How many deliveries have begun and wait for the store without a slot: they count as claimed. */
  lentSlots(): number;
  /** Whether changes are gathered at a sink of the chain. */
  gathers(): boolean;
  /** Called when there may be something to begin. */
  onClaimed(claimed: Claimed): void;
  /** Called when nothing is gathered at any sink. */
  onDrained(): void;
  /** Called when claiming has ended for now. */
  onIdle(): void;
}

/** Deliveries of a group claimed behind the first: a run of a group costs one commit, and reads and writes its state once. */
const MAX_BEHIND = 31;
/** Deliveries claimed at once, so that a busy chain does not ask the store for each change; only `concurrency` of them run. */
const CLAIM_AHEAD = 64;
/** Claiming stops while the waiting manifests are this large: with a hanging receiver each chain could hold hundreds of MB. */
const MAX_READY_BYTES = 4 * 1024 * 1024;

export class Claims {
  readonly #options: ClaimsOptions;
  readonly #stateful: readonly string[];
  readonly #alarm: Alarm;
  /** Single deliveries, or several of one group in order. */
  #ready: Delivery[][] = [];
  /** At most one, as a batch may be large. */
  #batch: Batch | undefined;
  #isBatchRunning = false;
  #mayHaveGathered = true;
  #isStopped = false;
  #isClaiming = false;
  /** Something happened since the last claim began. */
  #claimAgain = false;
  /** The last claim did not ask for everything that is due. */
  #hasMore = false;

  constructor(options: ClaimsOptions) {
    const { chain, clock } = options;
    this.#options = options;
    this.#alarm = new Alarm(clock, () => this.kick());
    this.#stateful = chain.handlers.filter(({ definition }) => definition.type === 'stateful').map(({ id }) => id);
  }

  /** To be called when there may be work. */
  kick(): void {
    this.#claimAgain = true;
    if (!this.#isStopped && !this.#isClaiming) void this.#claimAll();
  }

  /** Stops claiming. */
  stop(): void {
    this.#isStopped = true;
    this.#alarm.cancel();
  }

  /** Whether more may be due than was claimed; then {@link kick} when there is room. */
  get hasMore(): boolean {
    return this.#hasMore;
  }

  /** Whether any delivery is waiting to begin. */
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

  /** The next delivery, and those to run after it, in order. */
  next(): readonly Delivery[] | undefined {
    return this.#ready.shift();
  }

  /** Hands out the batch; no other is claimed before {@link batchEnded}. */
  nextBatch(): Batch | undefined {
    const batch = this.#batch;
    this.#batch = undefined;
    this.#isBatchRunning ||= batch !== undefined;
    return batch;
  }

  batchEnded(): void {
    this.#isBatchRunning = false;
  }

  /** Everything not begun, to be released. */
  takeAll(): readonly Delivery[] {
    return [...this.#ready.splice(0).flat(), ...(this.nextBatch()?.deliveries ?? [])];
  }

  async #claimAll(): Promise<void> {
    this.#isClaiming = true;
    while (this.#claimAgain && !this.#isStopped) {
      this.#claimAgain = false;
      await this.#claim();
    }
    this.#isClaiming = false;
    this.#options.onIdle();
  }

  async #claim(): Promise<void> {
    const { store, chain, clock, coalesce, persistence } = this.#options;
    const limit = CLAIM_AHEAD - this.#ready.length - this.#options.lentSlots();
    this.#hasMore = limit < CLAIM_AHEAD / 2 || this.#readyBytes >= MAX_READY_BYTES;
    if (this.#hasMore) return;
    const batch = this.#mayHaveGathered && this.#batch === undefined && !this.#isBatchRunning;
    const claimed = await persistence.keepTrying('claim changes', () =>
      store.claim({
        chain: chain.name,
        limit,
        now: clock.steady(),
        wallNow: clock.now(),
        stateful: this.#stateful,
        atOnce: chain.concurrency,
        batch,
        behind: MAX_BEHIND,
        coalesce,
      }),
    );
    if (claimed === undefined) return;
    const runs = groupRuns(claimed.deliveries);
    this.#ready.push(...runs);
    if (batch) this.#batch = claimed.batch;
    if (batch && !claimed.hasGathered) this.#drained();
    this.#options.onClaimed(claimed);
    if (runs.length === limit) this.#claimAgain = true;
    if (!this.#isStopped) this.#alarm.set(claimed.nextDueAt);
  }

  /** A chain without a gathering sink asks for batches only until there are none: an earlier configuration may have left some. */
  #drained(): void {
    this.#options.onDrained();
    this.#mayHaveGathered = this.#options.gathers();
  }
}

/** Groups deliveries that are to run together, in order. */
function groupRuns(deliveries: readonly Delivery[]): Delivery[][] {
  const runs: Delivery[][] = [];
  for (const delivery of deliveries) {
    const last = runs.at(-1);
    if (delivery.isBehind && last !== undefined) last.push(delivery);
    else runs.push([delivery]);
  }
  return runs;
}
