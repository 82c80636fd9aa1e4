/**
 * The Store on SQLite. This side packs calls and unpacks answers; a worker thread does the work (see worker.ts), and
 * puts calls that arrive together into one transaction.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Change } from '../change.ts';
import { systemClock, type Clock } from '../clock.ts';
import { ConfigError } from '../errors.ts';
import { withEdits } from '../change/edits.ts';
import type { Json } from '../json.ts';
import type { Call } from './engine.ts';
import type { Term } from './epoch.ts';
import { changeOf } from './change-of.ts';
import type { DeadLetterRecord } from './dead-letters.ts';
import type { DeliveryRecord } from './claims.ts';
import type { StateRecords } from './handler-memory.ts';
import type { Step } from './history.ts';
import { buffersOf, packObservations } from './observations.ts';
import type { Operations } from './operations.ts';
import type { ChangeRecord } from './change-of.ts';
import type {
  ClaimRequest,
  Claimed,
  Death,
  Delivery,
  End,
  Forks,
  GroupEnd,
  ParkRequest,
  StateWrites,
} from './delivery.ts';
import type { DeadLetter, DeadLetterQuery, EndedQuery, HistoryQuery, Retention } from './looking-back.ts';
import type { AcceptBatch, Observation, ScopeSpec } from './scope.ts';
import type { Store } from './store.ts';
import type { HeldQuery, StoredEdits, StoredState, StoredManifest } from './stored.ts';
import { damageIn, StoreError } from './store-error.ts';
import type { SerializedError, Message, Request, WorkerOptions } from './worker.ts';

export interface SqliteStoreOptions {
  /** A file, created with mode 0600 if it is new, or `:memory:`. */
  readonly path: string;
  /** The cluster of every change in this store. Default: from the facts `cluster` and `clusterName`. */
  readonly cluster?: Change['cluster'];
  /** For `observedAt` and `diedAt`. */
  readonly clock?: Clock;
  /** False for a command beside the process that owns the store. Default true, which makes earlier writers stale. */
  readonly writer?: boolean;
  /** The term of the Lease that the writer holds; an earlier holder is refused. Default: it holds none. */
  readonly term?: Term | undefined;
}

/** @throws ConfigError if the file is damaged, not ours, of a newer version, or not writable */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, cluster, clock = systemClock, writer = true, term } = options;
  const worker = startWorker({ path, writer, term });
  const [message] = (await once(worker, 'message')) as [Message];
  if ('failed' in message) throw deserializeError(message.failed);
  const store = new SqliteStore(worker, path, cluster ?? { id: '', name: '' }, clock);
  if (cluster === undefined) await store.readCluster();
  return store;
}

/**
 * The flags of the process that the worker gets. Others, such as --input-type, do not suit its file; without these no permission
 * would bind it, one in NODE_OPTIONS would stop it, and it would print warnings. `--allow-fs-read FOLDER` is two words.
 */
function permissionFlags(flags: readonly string[]): string[] {
  const isFlag = (flag: string) => /^--(permission|allow-[a-z-]+|disable-warning)(=|$)/.test(flag);
  const takesNext = (flag = '') => /^--(allow-fs-(read|write)|disable-warning)$/.test(flag);
  return flags.filter((flag, n) => isFlag(flag) || takesNext(flags[n - 1]));
}

function startWorker(workerData: WorkerOptions): Worker {
  // `.ts` in the checkout, `.js` in dist: the compiler rewrites import paths, but not URLs.
  const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
  // Its heap holds one batch at a time, yet the young generation would grow to tens of megabytes by default.
  const resourceLimits = { maxYoungGenerationSizeMb: 8 };
  const execArgv = permissionFlags(process.execArgv);
  return new Worker(new URL(`./worker${extension}`, import.meta.url), { workerData, resourceLimits, execArgv });
}

type Args<N extends keyof Operations> = Parameters<Operations[N]['run']>;
type Result<N extends keyof Operations> = ReturnType<Operations[N]['run']>;

interface PendingCall {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

class SqliteStore implements Store {
  readonly #worker: Worker;
  readonly #path: string;
  #cluster: Change['cluster'];
  readonly #clock: Clock;
  readonly #pending = new Map<number, PendingCall>();
  #outbox: Call[] = [];
  #transfer: ArrayBuffer[] = [];
  #lastId = 0;
  #prunedTo = 0;
  /** Why calls are refused, once they are. */
  #closedError: StoreError | undefined;
  #closed: Promise<void> | undefined;

  constructor(worker: Worker, path: string, cluster: Change['cluster'], clock: Clock) {
    this.#worker = worker;
    this.#path = path;
    this.#cluster = cluster;
    this.#clock = clock;
    worker.on('message', (message: Message) => this.#settle(message));
    worker.on('error', (cause: Error) => this.#fail(cause));
    worker.on('exit', () => this.#fail(undefined));
  }

  async readCluster(): Promise<void> {
    const [id = '', name = ''] = await Promise.all([this.getFact('cluster'), this.getFact('clusterName')]);
    this.#cluster = { id, name };
  }

  openScope(spec: ScopeSpec) {
    return this.#call('openScope', [spec]);
  }

  scopes() {
    return this.#call('scopes', []);
  }

  forgetScope(scope: number) {
    return this.#call('forgetScope', [scope]);
  }

  seen(scope: number, afterKey: string | undefined, limit: number) {
    return this.#call('seen', [scope, afterKey, limit]);
  }

  baseline(group: string, resource: string, key: string) {
    return this.#call('baseline', [group, resource, key]);
  }

  held(query: HeldQuery) {
    return this.#call('held', [query]);
  }

  manifests(afterId: number, limit: number) {
    return this.#call('manifests', [afterId, limit]);
  }

  replaceManifests(rows: readonly Pick<StoredManifest, 'id' | 'body'>[]) {
    // Copied, as cloning a view clones the whole buffer behind it.
    return this.#call('replaceManifests', [rows.map(({ id, body }) => ({ id, body: new Uint8Array(body) }))]);
  }

  edits(afterId: number, limit: number) {
    return this.#call('edits', [afterId, limit]);
  }

  replaceEdits(rows: readonly Pick<StoredEdits, 'id' | 'text'>[]) {
    return this.#call('replaceEdits', [rows]);
  }

  states(after: Pick<StoredState, 'handler' | 'queue'> | undefined, limit: number) {
    return this.#call('states', [after, limit]);
  }

  replaceStates(rows: readonly (StoredState & { readonly by: string })[]) {
    return this.#call('replaceStates', [rows]);
  }

  compact() {
    return this.#call('compact', []);
  }

  erase() {
    return this.#call('erase', []);
  }

  stage(scope: number, observations: readonly Observation[]) {
    const packed = packObservations(observations);
    return this.#call('stage', [scope, packed], buffersOf(packed));
  }

  discardStaged(scope: number) {
    return this.#call('discardStaged', [scope]);
  }

  accept(batch: AcceptBatch) {
    const packed = packObservations(batch.observations);
    return this.#call('accept', [{ ...batch, observations: packed }, this.#clock.now()], buffersOf(packed));
  }

  async claim(request: ClaimRequest): Promise<Claimed> {
    const { deliveries, batch, ...rest } = await this.#call('claim', [request]);
    const deliveriesOf = (records: readonly DeliveryRecord[]) => records.map((delivery) => this.#deliveryOf(delivery));
    return {
      deliveries: deliveriesOf(deliveries),
      batch: batch === undefined ? undefined : { ...batch, deliveries: deliveriesOf(batch.deliveries) },
      ...rest,
    };
  }

  checkpoint(delivery: number, handler: string) {
    return this.#call('checkpoint', [delivery, handler]);
  }

  checkpointAll(deliveries: readonly number[], handler: string) {
    return this.#call('checkpointAll', [deliveries, handler]);
  }

  fixBatch(deliveries: readonly number[]) {
    return this.#call('fixBatch', [deliveries]);
  }

  complete(delivery: number, end: End, writes?: StateWrites, forks?: Forks) {
    return this.#call('complete', [delivery, end, this.#clock.now(), writes, forks]);
  }

  completeAll(ends: readonly GroupEnd[], writes: StateWrites, next: number | undefined) {
    return this.#call('completeAll', [ends, this.#clock.now(), writes, next]);
  }

  park(delivery: number, park: ParkRequest) {
    return this.#call('park', [delivery, park, this.#clock.now()]);
  }

  release(delivery: number, perhapsSent = false) {
    return this.#call('release', [delivery, perhapsSent]);
  }

  async join(delivery: number, group: string, handlers: readonly string[]) {
    const { states, freed } = await this.#call('join', [delivery, group, handlers]);
    return { states: states === undefined ? undefined : statesOf(states), freed };
  }

  deadLetter(delivery: number, death: Death, forks?: Forks) {
    return this.#call('deadLetter', [delivery, death, this.#clock.now(), forks]);
  }

  async deadLetters(query: DeadLetterQuery) {
    return (await this.#call('deadLetters', [query])).map((letter) => this.#deadLetterOf(letter));
  }

  async deadLetterOf(id: number) {
    const letter = await this.#call('deadLetterOf', [id]);
    return letter === undefined ? undefined : this.#deadLetterOf(letter);
  }

  replay(ids: readonly number[]) {
    return this.#call('replay', [ids]);
  }

  discard(ids: readonly number[], { withChanges = false }: { readonly withChanges?: boolean } = {}) {
    return doInSteps(ids, (rest) => this.#call('discard', [rest, withChanges]));
  }

  async history(query: HistoryQuery) {
    return (await this.#call('history', [query])).map((record) => changeOf(record, this.#cluster));
  }

  async trip(change: number) {
    const trip = await this.#call('trip', [change]);
    return trip === undefined ? undefined : { ...trip, change: changeOf(trip.record, this.#cluster) };
  }

  kinds() {
    return this.#call('kinds', []);
  }

  /** Repeats steps that removed nothing, which happens if everything they look at must be kept. */
  async prune(retention: Retention, now: number) {
    for (;;) {
      const { pruned, to } = await this.#call('prune', [retention, now, this.#prunedTo]);
      this.#prunedTo = to;
      if (pruned > 0 || to === 0) return pruned;
    }
  }

  ended(query: EndedQuery) {
    return this.#call('ended', [query]);
  }

  forget(changes: readonly number[]) {
    return doInSteps(changes, (rest) => this.#call('forget', [rest]));
  }

  balances() {
    return this.#call('balances', []);
  }

  async statesOf(handler: string) {
    return (await this.#call('statesOf', [handler])).map((value) => JSON.parse(value) as Json);
  }

  async recall(handler: string, key: string) {
    const value = await this.#call('recall', [handler, key]);
    return value === undefined ? undefined : (JSON.parse(value) as Json);
  }

  remember(handler: string, key: string, value: Json | null) {
    const json = value === null ? undefined : JSON.stringify(value);
    return this.#call('remember', [handler, key, json, this.#clock.now()]);
  }

  leaveCluster(cluster: Change['cluster']) {
    return this.#call('leaveCluster', [cluster]);
  }

  getFact(name: string) {
    return this.#call('getFact', [name]);
  }

  setFact(name: string, value: string) {
    return this.#call('setFact', [name, value]);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#closedError !== undefined) return;
    this.#flush();
    this.#closedError = new StoreError('STORE_CLOSED', 'Cannot use the store: it is closed');
    const exited = once(this.#worker, 'exit');
    this.#worker.postMessage('close' satisfies Request);
    await exited;
  }

  /** Calls made in the same turn of the event loop go out as one message, and so into one transaction. */
  #call<N extends keyof Operations>(name: N, args: Args<N>, transfer: readonly ArrayBuffer[] = []): Promise<Result<N>> {
    if (this.#closedError !== undefined) return Promise.reject(this.#closedError);
    return new Promise<Result<N>>((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      if (this.#outbox.length === 0) queueMicrotask(() => this.#flush());
      this.#outbox.push({ id, name, args });
      this.#transfer.push(...transfer);
    });
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    const calls = this.#outbox;
    const transfer = this.#transfer;
    this.#outbox = [];
    this.#transfer = [];
    this.#worker.postMessage(calls satisfies Request, transfer);
  }

  #settle(message: Message): void {
    if ('opened' in message || 'failed' in message) return;
    for (const reply of message) {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ('error' in reply) pending?.reject(deserializeError(reply.error));
      else pending?.resolve(reply.value as never);
    }
  }

  #fail(cause: Error | undefined): void {
    const damage = damageIn(cause);
    const message =
      damage === undefined
        ? `The store has stopped${cause === undefined ? '' : `: ${cause.message}`}; restart the service, accepted changes are kept`
        : `Cannot continue with the store ${this.#path}: ${damage}`;
    this.#closedError ??= new StoreError('STORE_FAILED', message, { cause });
    for (const { reject } of this.#pending.values()) reject(this.#closedError);
    this.#pending.clear();
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

function deserializeError({ message, stack, code, problems }: SerializedError): Error {
  const plain = code === undefined ? new Error(message) : new StoreError(code, message);
  const error = problems === undefined ? plain : new ConfigError(problems);
  if (stack !== undefined) error.stack = stack;
  return error;
}
