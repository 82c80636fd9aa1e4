/** Brings one scope from the cluster into the store: a reflector, an index of known objects, and a queue of observations. */
import { splitKey, type ChangeFlags } from '../change.ts';
import { pause } from '../clock.ts';
import type { Config } from '../config/config.ts';
import { toError } from '../errors.ts';
import { isEvent } from '../event.ts';
import { type Interest, isSameInterest } from '../interest.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { requestNamespaceOf, coversNamespace, isPattern } from '../namespaces.ts';
import type { Basis, Observation, ScopeSpec, ScopeState } from '../store/scope.ts';
import type { Store } from '../store/store.ts';
import { AcceptQueue, type ByteTotal } from './accept-queue.ts';
import { Backoff } from './backoff.ts';
import { BaselineList, type ListMode } from './baseline-list.ts';
import { CatchUp } from './catch-up.ts';
import { SourceError } from './failure.ts';
import { ManifestReader, type ScannedManifest } from './manifest.ts';
import { ObjectIndex } from './object-index.ts';
import { countChange, type Counts, Observer } from './observer.ts';
import type { Redactor } from './redact.ts';
import { Reflector, type ReflectorFailure, type ReflectorOptions, type ReflectorTarget } from './reflector.ts';
import { pathOf, resourceName } from './resource-path.ts';
import { metersOf } from './scope-meters.ts';
import type { ScopeStatus } from './scope-status.ts';
import type { ObjectEventType } from './watch.ts';

/** Shared by all informers of a source. */
export interface InformerEnvironment
  extends
    Pick<Config, 'whileAway' | 'existing'>,
    Pick<ReflectorOptions, 'api' | 'clock' | 'maxSilenceMs' | 'runInTurn' | 'random'> {
  readonly store: Store;
  readonly redactor: Redactor;
  /**
   * Another cluster behind the same address would have been noticed at the start, or will be by {@link isSameCluster}. False if
   * the cluster is known only by its address.
   */
  readonly identityIsCertain: boolean;
  /** Asked before a list is compared with the baseline. Rejects if nobody answers. */
  readonly isSameCluster: () => Promise<boolean>;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Called when these chains have work. */
  readonly onAccepted: (chains: readonly string[]) => void;
  /** See {@link AcceptQueue}. */
  readonly totalHeld: ByteTotal;
}

export interface InformerScope extends ScopeSpec {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly interest: Interest;
  readonly root?: '/oapi';
}

export interface InformerOptions {
  /** The scope was watched until just now, so nothing in the watch happened while nothing was watching. */
  readonly resumed: boolean;
  /** Called when an object of another kind was received and left out. */
  readonly onOtherKind: () => void;
}

const NONE: ChangeFlags = {};
const AWAY: ChangeFlags = { whileAway: true };
const DELAYED: ChangeFlags = { delayed: true };

export class Informer implements ReflectorTarget {
  readonly #env: InformerEnvironment;
  readonly #scope: InformerScope;
  readonly #status: ScopeStatus;
  #resumed: boolean;
  readonly #options: InformerOptions;
  readonly #log: Logger;
  readonly #basis: Basis;
  readonly #reader: ManifestReader;
  readonly #observer: Observer;
  readonly #index = new ObjectIndex();
  readonly #meters;
  /** Set by {@link #open}, which is called before anything else. */
  #opened!: { readonly state: ScopeState; readonly queue: AcceptQueue };
  #oldReader: ManifestReader | undefined;
  #reportsExisting: boolean;
  #listMode: ListMode = 'compare';
  #list: BaselineList | undefined;
  #catchUp: CatchUp | undefined;
  /** A list still has to report what happened while nothing was watching. */
  #mustListReportAway: boolean;
  /** What was wrong with the last object that could not be read. */
  #reported: string | undefined;

  constructor(env: InformerEnvironment, scope: InformerScope, status: ScopeStatus, options: InformerOptions) {
    this.#env = env;
    this.#scope = scope;
    this.#status = status;
    this.#options = options;
    this.#resumed = options.resumed;
    this.#mustListReportAway = !options.resumed;
    this.#reportsExisting = env.existing === 'added';
    const resource = resourceName(scope);
    this.#log = env.log.child({ resource, namespace: scope.namespace || undefined });
    const { kind, version, interest } = scope;
    this.#basis = { kind, version, interest, redaction: env.redactor.keyFingerprint };
    this.#reader = new ManifestReader(scope, scope.interest, env.redactor.digester);
    this.#meters = metersOf(env.metrics, resource);
    this.#observer = new Observer({
      redact: env.redactor.forKind(scope),
      selected: scope.labelSelector !== '' || scope.fieldSelector !== '',
      expires: isEvent(scope),
      ignoreWhileAway: env.whileAway === 'ignore',
      onMalformed: (key, problem) => this.#malformed(key, problem),
    });
  }

  /** Whether a successor must still report changes as having happened while nothing was watching, as not all are accepted yet. */
  get hasUnreportedAway(): boolean {
    return this.#mustListReportAway || this.#catchUp?.isAway === true;
  }

  /** Runs until the signal aborts or the kind is no longer served; what was read is then in the store. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const cursor = await this.#openWithRetry(signal);
    if (cursor === undefined) return;
    const { api, clock, maxSilenceMs, runInTurn, random, metrics } = this.#env;
    const { labelSelector, fieldSelector, namespace } = this.#scope;
    const resource = resourceName(this.#scope);
    const options = {
      api,
      path: pathOf(this.#scope, requestNamespaceOf(namespace)),
      labelSelector,
      fieldSelector,
      reader: this.#reader,
      target: this,
      clock,
      maxSilenceMs,
      runInTurn,
      random,
      onList: (reason: string) => metrics.relists.inc({ resource, reason }),
      onWatchRestart: (reason: string) => {
        metrics.watchRestarts.inc({ resource, reason });
        // A watch that ends as requested is the only sign of life of a quiet kind without bookmarks.
        if (reason === 'ended') this.#heard();
      },
    };
    const { queue } = this.#opened;
    const onAbort = () => queue.stopWaiting();
    signal.addEventListener('abort', onAbort);
    const reflector = new Reflector(options, cursor.resumeFrom, this.#listMode);
    await reflector.run(signal, ({ error }) => error.status === 404);
    signal.removeEventListener('abort', onAbort);
    await queue.stop();
  }

  async listBegins(): Promise<void> {
    this.#status.listing();
    this.#mustListReportAway = !this.#resumed;
    await this.#opened.queue.drain();
    // A complete list that the store refused.
    await this.listFailed();
    this.#list = new BaselineList({
      mode: this.#listMode,
      reportsExisting: this.#reportsExisting,
      store: this.#env.store,
      scope: this.#opened.state.id,
      index: this.#index,
      observer: this.#observer,
      oldDigest: this.#oldReader === undefined ? undefined : digestBy(this.#oldReader),
      resumed: this.#resumed,
    });
  }

  listed(item: ScannedManifest): void {
    if (this.#isOutsidePattern(item)) return;
    const { problem } = item;
    if (problem === undefined) {
      this.#list?.add(item);
    } else {
      this.#skipInvalid(item, problem);
      this.#list?.skip(item.key);
    }
  }

  async listEnded(resourceVersion: string): Promise<'kept' | 'again'> {
    const list = this.#list;
    if (list === undefined) return 'again';
    if (this.#listMode !== 'first' && !(await this.#env.isSameCluster())) {
      throw new SourceError('another cluster now answers at this address', {
        remedy: 'refused',
        reason: 'other-cluster',
      });
    }
    if (list.isForeign && !this.#env.identityIsCertain) {
      await this.#startNewBaseline(list);
      return 'again';
    }
    const accepted = await list.commit(resourceVersion, this.#basis);
    this.#list = undefined;
    this.#listMode = 'compare';
    this.#resumed = false;
    this.#mustListReportAway = false;
    this.#oldReader = undefined;
    this.#catchUp = undefined;
    this.#meters.changed(list.counts);
    // A first list is accepted page by page, so `accepted` counts only its last page.
    if (accepted.changes > 0 || this.#reportsExisting) this.#notifyChains(this.#scope.chains);
    return 'kept';
  }

  async listFailed(): Promise<void> {
    await this.#list?.discard();
    this.#list = undefined;
  }

  watchBegins(): void {
    this.#status.watching(this.#index.size);
    if (this.#status.health.lastHeardAt === undefined) this.#heard();
    this.#catchUp?.begin();
  }

  event(type: ObjectEventType, manifest: ScannedManifest): void {
    this.#meters.events[type].inc();
    const { problem } = manifest;
    if (problem !== undefined) {
      if (!this.#isOutsidePattern(manifest)) this.#skipInvalid(manifest, problem);
      return;
    }
    const flags = this.#catchUp?.flags() ?? NONE;
    if (type === 'DELETED') this.#deleted(manifest, flags);
    else if (!this.#isOutsidePattern(manifest)) this.#seen(manifest, flags);
    this.#opened.queue.moveCursor(manifest.resourceVersion);
  }

  bookmark(resourceVersion: string): void {
    this.#meters.events.BOOKMARK.inc();
    this.#catchUp = undefined;
    this.#resumed = false;
    this.#opened.queue.moveCursor(resourceVersion);
  }

  ready(): Promise<void> | undefined {
    this.#heard();
    if (this.#list !== undefined) return this.#list.writeIfFull();
    this.#opened.queue.flush();
    return this.#opened.queue.whenRoom();
  }

  failed(failure: ReflectorFailure): void {
    // What came in the same read as an ERROR event or garbage, before it.
    this.#opened.queue.flush();
    if (this.#catchUp?.isOver !== false) this.#catchUp = new CatchUp(this.#env.clock, DELAYED);
    this.#status.failed(failure);
  }

  #heard(): void {
    this.#status.heard(this.#index.size);
  }

  /** Whether an object is outside the pattern, for which the server sends all namespaces. */
  #isOutsidePattern({ key }: ScannedManifest): boolean {
    const { namespace } = this.#scope;
    return isPattern(namespace) && key !== '' && !coversNamespace(namespace, splitKey(key).namespace ?? '');
  }

  #seen(manifest: ScannedManifest, flags: ChangeFlags): void {
    const { key, uid, resourceVersion } = manifest;
    const known = this.#index.get(key);
    const isSameObject = known?.uid === uid;
    if (isSameObject && known.resourceVersion === resourceVersion) return;
    const digest = manifest.digest();
    if (isSameObject && known.digest === digest) {
      known.resourceVersion = resourceVersion;
      this.#meters.noise.inc();
      return;
    }
    const observation = this.#observer.seen(manifest, digest, { silent: false, flags });
    if (observation === undefined) return;
    this.#index.set(observation);
    const expired = this.#observer.expired(key, known, uid);
    if (expired !== undefined) this.#opened.queue.add(expired);
    this.#add(observation, expired === undefined ? known?.uid : undefined);
  }

  /** Ignores an object that is unknown or already has a successor. */
  #deleted({ key, uid, resourceVersion }: ScannedManifest, flags: ChangeFlags): void {
    if (this.#index.get(key)?.uid !== uid) return;
    this.#index.delete(key);
    this.#add(this.#observer.gone({ key, uid, resourceVersion }, { silent: false, flags }), uid);
  }

  #add(observation: Observation, knownUid: string | undefined): void {
    const counts: Counts = { added: 0, updated: 0, deleted: 0 };
    countChange(counts, observation, knownUid);
    this.#meters.changed(counts);
    this.#opened.queue.add(observation);
  }

  #skipInvalid({ key, isOfOtherKind }: ScannedManifest, problem: string): void {
    this.#malformed(key, problem);
    if (isOfOtherKind) this.#options.onOtherKind();
  }

  /** Warns of the same problem only once: every object of a list may have it. */
  #malformed(key: string, problem: string): void {
    this.#meters.malformed.inc();
    const level = problem === this.#reported ? 'debug' : 'warn';
    this.#log[level]('Skipped an object that cannot be read', { key, problem });
    this.#reported = problem;
  }

  #notifyChains(chains: readonly string[]): void {
    try {
      this.#env.onAccepted(chains);
    } catch (thrown) {
      this.#log.error('A listener for accepted changes failed', { problem: toError(thrown).message });
    }
  }

  /** Starts a new baseline, without reporting the objects of the old one as deleted. */
  async #startNewBaseline(list: BaselineList): Promise<void> {
    this.#log.warn(
      'The list has no object in common with the baseline: assuming another cluster, starting a new baseline',
      {
        known: this.#index.size,
      },
    );
    await list.discard();
    await this.#env.store.forgetScope(this.#opened.state.id);
    this.#index.clear();
    this.#reportsExisting = false;
    this.#listMode = 'first';
    this.#list = undefined;
  }

  /** Undefined if stopped. */
  async #openWithRetry(signal: AbortSignal): Promise<{ readonly resumeFrom: string | undefined } | undefined> {
    const backoff = new Backoff({ clock: this.#env.clock, random: this.#env.random });
    while (!signal.aborted) {
      try {
        return { resumeFrom: await this.#open() };
      } catch (thrown) {
        this.#status.storeFailed(toError(thrown));
        await pause(this.#env.clock, backoff.next(), signal);
      }
    }
    return undefined;
  }

  /** Returns the cursor to watch from, or undefined if a list comes first. */
  async #open(): Promise<string | undefined> {
    const { store, clock, totalHeld } = this.#env;
    const state = await store.openScope(this.#scope);
    const queue = new AcceptQueue({
      store,
      scope: state.id,
      clock,
      totalHeld,
      onAccepting: () => this.#notifyChains(this.#scope.chains),
      onProblem: (problem) => (problem === undefined ? this.#status.storeWorks() : this.#status.storeFailed(problem)),
    });
    this.#opened = { state, queue };
    await store.discardStaged(state.id);
    const { basis, cursor } = state;
    if (basis === undefined || cursor === undefined) {
      this.#listMode = 'first';
      await this.#index.load(store, state.id);
      return undefined;
    }
    const isSame = isSameInterest(basis.interest, this.#basis.interest) && basis.version === this.#basis.version;
    const isComparable = basis.redaction === this.#basis.redaction;
    await this.#index.load(store, state.id);
    if (isSame && isComparable) {
      // The kind was replaced by another one, whose objects were left out until now.
      if ((basis.kind ?? this.#scope.kind) !== this.#scope.kind) return undefined;
      if (!this.#resumed) this.#catchUp = new CatchUp(clock, AWAY);
      this.#mustListReportAway = false;
      return cursor;
    }
    this.#listMode = 'rebase';
    if (isComparable) this.#oldReader = new ManifestReader(this.#scope, basis.interest, this.#env.redactor.digester);
    return undefined;
  }
}

function digestBy(reader: ManifestReader): (item: ScannedManifest) => number {
  return (item) => {
    const source = item.source();
    return reader.read(source, 0, source.length).digest();
  };
}
