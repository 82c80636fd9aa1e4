/**
 * The Store on SQLite. This side packs calls and unpacks answers; a worker thread does the work (see worker.ts), and
 * puts calls that arrive together into one transaction.
 */
import type { Change } from '../change.ts';
import { withEdits } from '../change/edits.ts';
import { systemClock, type Clock } from '../clock.ts';
import type { Json } from '../json.ts';
import { changeOf, type ChangeRecord } from './change-of.ts';
import type { DeliveryRecord } from './claims.ts';
import type { DeadLetterRecord } from './dead-letters.ts';
import type {
  ClaimRequest,
  Claimed,
  Death,
  Delivery,
  End,
  Forks,
  GroupEnd,
  ParkRequest,
  Sequel,
  StateWrites,
} from './delivery.ts';
import type { Term } from './epoch.ts';
import type { StateRecords } from './handler-memory.ts';
import type { Step } from './history.ts';
import type { DeadLetter, DeadLetterQuery, HistoryQuery, Retention } from './looking-back.ts';
import { buffersOf, packObservations } from './observations.ts';
import type { Operations } from './operations.ts';
import type { AcceptBatch, Observation } from './scope.ts';
import type { Store } from './store.ts';
import type { NewBody } from './stored.ts';
import { openWorker, type Args, type Result, type WorkerClient } from './worker-client.ts';

export interface SqliteStoreOptions {
  /** A file, created with mode 0600 if it is new, or `:memory:`. */
  readonly path: string;
  /** The cluster of every change in this store. Default: from the facts `cluster` and `clusterName`. */
  readonly cluster?: Change['cluster'];
  /** Stamps changes, failures, ends and replays, and says what is late. */
  readonly clock?: Clock;
  /** False for a command beside the process that owns the store. Default true, which makes earlier writers stale. */
  readonly writer?: boolean;
  /** The term of the Lease that the writer holds; an earlier holder is refused. Default: it holds none. */
  readonly term?: Term | undefined;
}

/** @throws ConfigError if the file is damaged, not ours, of a newer version, or not writable */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, cluster, clock = systemClock, writer = true, term } = options;
  const worker = await openWorker({ path, writer, term });
  const store = new SqliteStore(worker, cluster ?? { id: '', name: '' }, clock);
  if (cluster === undefined) await store.readCluster();
  return store;
}

class SqliteStore implements Store {
  readonly #worker: WorkerClient;
  #cluster: Change['cluster'];
  readonly #clock: Clock;
  #prunedTo = 0;

  // Calls that the worker takes as they are; the operation of the same name says what that is.
  readonly openScope = this.#forward('openScope');
  readonly scopes = this.#forward('scopes');
  readonly forgetScope = this.#forward('forgetScope');
  readonly seen = this.#forward('seen');
  readonly baseline = this.#forward('baseline');
  readonly held = this.#forward('held');
  readonly manifests = this.#forward('manifests');
  readonly edits = this.#forward('edits');
  readonly replaceEdits = this.#forward('replaceEdits');
  readonly states = this.#forward('states');
  readonly replaceStates = this.#forward('replaceStates');
  readonly compact = this.#forward('compact');
  readonly erase = this.#forward('erase');
  readonly discardStaged = this.#forward('discardStaged');
  readonly checkpoint = this.#forward('checkpoint');
  readonly checkpointAll = this.#forward('checkpointAll');
  readonly fixBatch = this.#forward('fixBatch');
  readonly kinds = this.#forward('kinds');
  readonly ended = this.#forward('ended');
  readonly leaveCluster = this.#forward('leaveCluster');
  readonly getFact = this.#forward('getFact');
  readonly setFact = this.#forward('setFact');

  constructor(worker: WorkerClient, cluster: Change['cluster'], clock: Clock) {
    this.#worker = worker;
    this.#cluster = cluster;
    this.#clock = clock;
  }

  async readCluster(): Promise<void> {
    const [id = '', name = ''] = await Promise.all([this.getFact('cluster'), this.getFact('clusterName')]);
    this.#cluster = { id, name };
  }

  replaceManifests(rows: readonly NewBody[]) {
    // Copied, as cloning a view clones the whole buffer behind it.
    return this.#worker.call('replaceManifests', [rows.map(({ id, body }) => ({ id, body: new Uint8Array(body) }))]);
  }

  stage(scope: number, observations: readonly Observation[]) {
    const packed = packObservations(observations);
    return this.#worker.call('stage', [scope, packed], buffersOf(packed));
  }

  accept(batch: AcceptBatch) {
    const packed = packObservations(batch.observations);
    return this.#worker.call('accept', [{ ...batch, observations: packed }, this.#clock.now()], buffersOf(packed));
  }

  async claim(request: ClaimRequest): Promise<Claimed> {
    const { deliveries, batch, ...rest } = await this.#worker.call('claim', [request]);
    const deliveriesOf = (records: readonly DeliveryRecord[]) => records.map((delivery) => this.#deliveryOf(delivery));
    return {
      deliveries: deliveriesOf(deliveries),
      batch: batch === undefined ? undefined : { ...batch, deliveries: deliveriesOf(batch.deliveries) },
      ...rest,
    };
  }

  complete(delivery: number, end: End, sequel: Sequel = {}) {
    return this.#worker.call('complete', [delivery, end, this.#clock.now(), sequel]);
  }

  completeAll(ends: readonly GroupEnd[], writes: StateWrites, next: number | undefined) {
    return this.#worker.call('completeAll', [ends, this.#clock.now(), writes, next]);
  }

  park(delivery: number, park: ParkRequest) {
    const now = this.#clock.now();
    // By the clock that stamps changes, unlike `until`: whoever reads how late something is has only that one.
    const dueSince = park.isHold === true ? now + park.until - this.#clock.steady() : undefined;
    return this.#worker.call('park', [delivery, park, now, dueSince]);
  }

  endWaits(chain: string) {
    return this.#worker.call('endWaits', [chain, this.#clock.now(), this.#clock.steady()]);
  }

  release(delivery: number, perhapsSent = false) {
    return this.#worker.call('release', [delivery, perhapsSent]);
  }

  async join(delivery: number, group: string, handlers: readonly string[]) {
    const { states, freed } = await this.#worker.call('join', [delivery, group, handlers]);
    return { states: states === undefined ? undefined : statesOf(states), freed };
  }

  deadLetter(delivery: number, death: Death, forks?: Forks) {
    return this.#worker.call('deadLetter', [delivery, death, this.#clock.now(), forks]);
  }

  async deadLetters(query: DeadLetterQuery) {
    return (await this.#worker.call('deadLetters', [query])).map((letter) => this.#deadLetterOf(letter));
  }

  async deadLetterOf(id: number) {
    const letter = await this.#worker.call('deadLetterOf', [id]);
    return letter === undefined ? undefined : this.#deadLetterOf(letter);
  }

  replay(ids: readonly number[]) {
    return this.#worker.call('replay', [ids, this.#clock.now()]);
  }

  discard(ids: readonly number[], { withChanges = false }: { readonly withChanges?: boolean } = {}) {
    return doInSteps(ids, (rest) => this.#worker.call('discard', [rest, withChanges]));
  }

  async history(query: HistoryQuery) {
    return (await this.#worker.call('history', [query])).map((record) => changeOf(record, this.#cluster));
  }

  async trip(change: number) {
    const trip = await this.#worker.call('trip', [change]);
    return trip === undefined ? undefined : { ...trip, change: changeOf(trip.record, this.#cluster) };
  }

  /** Repeats steps that removed nothing, which happens if everything they look at must be kept. */
  async prune(retention: Retention, now: number) {
    for (;;) {
      const { pruned, to } = await this.#worker.call('prune', [retention, now, this.#prunedTo]);
      this.#prunedTo = to;
      if (pruned > 0 || to === 0) return pruned;
    }
  }

  forget(changes: readonly number[]) {
    return doInSteps(changes, (rest) => this.#worker.call('forget', [rest]));
  }

  balances() {
    return this.#worker.call('balances', [this.#clock.now()]);
  }

  async statesOf(handler: string) {
    return (await this.#worker.call('statesOf', [handler])).map((value) => JSON.parse(value) as Json);
  }

  async recall(handler: string, key: string) {
    const value = await this.#worker.call('recall', [handler, key]);
    return value === undefined ? undefined : (JSON.parse(value) as Json);
  }

  remember(handler: string, key: string, value: Json | null) {
    const json = value === null ? undefined : JSON.stringify(value);
    return this.#worker.call('remember', [handler, key, json, this.#clock.now()]);
  }

  close() {
    return this.#worker.close();
  }

  #forward<N extends keyof Operations>(name: N): (...args: Args<N>) => Promise<Result<N>> {
    return (...args) => this.#worker.call(name, args);
  }

  #deliveryOf({ record, edits, delivered, states, ...rest }: DeliveryRecord): Delivery {
    return {
      ...rest,
      ...this.#changeOf(record, edits),
      delivered: JSON.parse(delivered) as string[],
      states: statesOf(states),
    };
  }

  #deadLetterOf({ record, edits, ...rest }: DeadLetterRecord): DeadLetter {
    return { ...rest, change: this.#changeOf(record, edits).change };
  }

  #changeOf(record: ChangeRecord, edits: string | undefined): Pick<Delivery, 'change' | 'edited'> {
    const change = changeOf(record, this.#cluster);
    return edits === undefined ? { change, edited: [] } : withEdits(change, edits);
  }
}

/** Repeats a step, each a transaction of its own, until all ids are done. */
async function doInSteps(
  ids: readonly number[],
  step: (rest: readonly number[]) => Promise<Step>,
): Promise<readonly number[]> {
  const all: number[] = [];
  for (let rest = ids; rest.length > 0;) {
    const { done, seen } = await step(rest);
    all.push(...done);
    rest = rest.slice(seen);
  }
  return all;
}

function statesOf(records: StateRecords): ReadonlyMap<string, Json> {
  return new Map(records.map(([handler, value]) => [handler, JSON.parse(value) as Json]));
}
