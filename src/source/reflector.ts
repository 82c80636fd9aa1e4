/**
 * Keeps one scope in step with the cluster: list, watch, and after any failure the cheapest recovery. The rules are
 * client-go's (https://github.com/kubernetes/client-go/blob/master/tools/cache/reflector.go); comments explain differences.
 *
 *   list ──▶ watch ──clean end──▶ watch from the cursor, at once
 *    ▲         ├──reset, 429, 5xx, silence, half a line──▶ wait, watch from the cursor
 *    └──410, the same obstacle three times─┘
 */
import { pause, type Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { ApiClient, ApiStream, Query } from './api.ts';
import { Backoff, slowBackoff } from './backoff.ts';
import { ByteStream } from './byte-stream.ts';
import { checkContentType, errorOfResponse, errorOfEvent, SourceError } from './failure.ts';
import { ListScanner, type ListEnvelope } from './list.ts';
import type { ManifestReader, ScannedManifest } from './manifest.ts';
import { ScanError } from './scan.ts';
import { LineSplitter, readEvent, type ObjectEventType } from './watch.ts';

/** Receives what a reflector reads. Calls come one at a time, in the order of the cluster. */
export interface ReflectorTarget {
  /** A whole list follows, item by item through {@link listed}, and ends with {@link listEnded} or {@link listFailed}. */
  listBegins(): Promise<void>;
  /** The manifest is valid during the call. */
  listed(item: ScannedManifest): void;
  /** Returns `again` if the list was not accepted and must be repeated from the start. */
  listEnded(resourceVersion: string): Promise<'kept' | 'again'>;
  /** Everything listed since {@link listBegins} is void. */
  listFailed(): Promise<void>;
  /** The server has accepted a watch. */
  watchBegins(): void;
  /** The manifest is valid during the call. */
  event(type: ObjectEventType, manifest: ScannedManifest): void;
  bookmark(resourceVersion: string): void;
  /** Everything from one socket read has been handed over. Nothing more is read while the promise is pending. */
  ready(): Promise<void> | undefined;
  failed(failure: ReflectorFailure): void;
}

export interface ReflectorFailure {
  readonly verb: 'list' | 'watch';
  readonly error: SourceError;
  /** 1 for the first failure since it last worked. */
  readonly consecutive: number;
  /** Milliseconds until the next try. */
  readonly waitMs: number;
  /** The next try is a list. */
  readonly relist: boolean;
}

export interface ReflectorOptions {
  readonly api: ApiClient;
  /** `/api/v1/namespaces/shop/pods`. */
  readonly path: string;
  /** `""` for none. Applied to both list and watch. */
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly reader: ManifestReader;
  readonly target: ReflectorTarget;
  readonly clock: Clock;
  /** A watch is given up after this long without a byte, milliseconds. Undefined: depends on how often bookmarks come. */
  readonly maxSilenceMs: number | undefined;
  /** Runs one list when its turn has come; after `endTurn` it no longer blocks others. */
  readonly runInTurn: <T>(list: (endTurn: () => void) => Promise<T>, signal: AbortSignal) => Promise<T>;
  /** For the metrics. */
  readonly onList: (reason: string) => void;
  readonly onWatchRestart: (reason: string) => void;
  /** For jitter, from 0 to 1. */
  readonly random: () => number;
}

const PAGE_LIMIT = 500;
/** A list that makes no progress for this long is given up. */
const LIST_SILENCE_MS = 60_000;
/** A list unanswered for this long lets others go on: a hanging webhook or aggregated API delays dozens of kinds, 30 s each. */
const TURN_PATIENCE_MS = 2_000;
/** Watches last 5 to 10 minutes at random, as in client-go, so that those which began together end at different times. */
const MIN_WATCH_S = 300;
/** How much longer than requested a server may keep a silent watch open. */
const WATCH_GRACE_MS = 30_000;
/** Bookmarks come about every minute. The silence allowed is three intervals, within these bounds. */
const BOOKMARKS_MISSED = 3;
const MIN_SILENCE_MS = 90_000;
const MAX_SILENCE_MS = 150_000;
/** A watch that ends this soon without any event but bookmarks did not end cleanly: something cut it. */
const SHORT_WATCH_MS = 1_000;
/** After meeting the same obstacle this often, list again. */
const MAX_SAME_OBSTACLE = 3;

/** The progress of one watch. */
interface Progress {
  readonly stream: ByteStream;
  /** When the last bookmark came, or the watch began. */
  bookmarkAt: number;
  bookmarks: number;
  events: number;
}

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #selectors: Query;
  readonly #backoff: Backoff;
  readonly #refused: Backoff;
  /** For lists that lead to no working watch. Separate: a server that comes back without its history is no reason to wait. */
  readonly #relists: Backoff;
  /** The version to watch from; undefined if a list comes next. */
  #cursor: string | undefined;
  /** Why the next list is due, for the metrics. */
  #listReason: string;
  /** The last list has not led to a working watch yet. */
  #justListed = false;
  #failuresInARow = 0;
  /** Some servers never send bookmarks, even when asked to. */
  #sendsBookmarks = false;
  /** Whether our cursor comes from a list. If it is a stored one, the server may since have been restored to an older state. */
  #hasListed = false;
  /** Total length of consecutive watches that ended as requested without anything, even a bookmark, milliseconds. */
  #muteMs = 0;
  /** The last obstacle, with its cursor, and how often in a row it was met. */
  #obstacle = { what: '', times: 0 };

  /**
   * @param cursor where to resume the watch; undefined to list first
   * @param listReason the reason for the first list, if there is one
   */
  constructor(options: ReflectorOptions, cursor: string | undefined, listReason: string) {
    this.#options = options;
    this.#cursor = cursor;
    this.#listReason = listReason;
    const { clock, random, labelSelector, fieldSelector } = options;
    this.#backoff = new Backoff({ clock, random });
    this.#relists = new Backoff({ clock, random });
    this.#refused = slowBackoff({ clock, random });
    this.#selectors = { labelSelector: labelSelector || undefined, fieldSelector: fieldSelector || undefined };
  }

  /** Runs until the signal aborts or `shouldStop` returns true for a failure; then resolves. */
  async run(signal: AbortSignal, shouldStop: (failure: ReflectorFailure) => boolean): Promise<void> {
    while (!signal.aborted) {
      const verb = this.#cursor === undefined ? 'list' : 'watch';
      try {
        if (this.#cursor === undefined) await this.#options.runInTurn((endTurn) => this.#list(endTurn, signal), signal);
        else await this.#watch(this.#cursor, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const failure = this.#failureOf(verb, thrown);
        this.#options.target.failed(failure);
        if (shouldStop(failure)) return;
        if (failure.waitMs > 0) await pause(this.#options.clock, failure.waitMs, signal);
      }
    }
  }

  async #list(endTurn: () => void, signal: AbortSignal): Promise<void> {
    const { target, onList } = this.#options;
    onList(this.#listReason);
    await target.listBegins();
    let resourceVersion: string;
    try {
      resourceVersion = await this.#pages(endTurn, signal);
      signal.throwIfAborted();
    } catch (thrown) {
      await target.listFailed();
      throw thrown;
    }
    this.#listReason = 'again';
    if ((await target.listEnded(resourceVersion)) === 'again') return;
    this.#cursor = resourceVersion;
    this.#justListed = true;
    this.#hasListed = true;
    this.#muteMs = 0;
  }

  /**
   * All pages or none: an expired token voids the previous pages, and the whole list is requested at once, as client-go does. The
   * first page's version counts: later ones are newer if a server has no snapshots.
   */
  async #pages(endTurn: () => void, signal: AbortSignal): Promise<string> {
    const { target } = this.#options;
    let token = '';
    let resourceVersion: string | undefined;
    for (;;) {
      let page: ListEnvelope;
      try {
        page = await this.#page({ limit: PAGE_LIMIT, continue: token || undefined }, endTurn, signal);
      } catch (thrown) {
        if (token === '' || !(thrown instanceof SourceError) || thrown.remedy !== 'relist') throw thrown;
        this.#options.onList('continue-expired');
        await target.listFailed();
        await target.listBegins();
        page = await this.#page({}, endTurn, signal);
        ({ resourceVersion } = page);
      }
      resourceVersion ??= page.resourceVersion;
      if (page.continueToken === '') return resourceVersion;
      token = page.continueToken;
    }
  }

  async #page(query: Query, endTurn: () => void, signal: AbortSignal): Promise<ListEnvelope> {
    const { api, path, clock } = this.#options;
    // No resourceVersion means the newest state, from a quorum. A cache could return a state from before our cursor.
    const cancelEndTurn = clock.after(TURN_PATIENCE_MS, endTurn);
    try {
      const response = await api.stream(path, { ...this.#selectors, ...query }, signal);
      if (response.status !== 200) throw await errorOfResponse(response, clock);
      checkContentType(response);
      return await this.#items(response.body, cancelEndTurn, signal);
    } finally {
      cancelEndTurn();
    }
  }

  /** @param onBytes called on each chunk */
  async #items(body: ApiStream['body'], onBytes: () => void, signal: AbortSignal): Promise<ListEnvelope> {
    const { reader, target, clock } = this.#options;
    const scanner = new ListScanner((bytes, start, end) => {
      const item = reader.read(bytes, start, end);
      target.listed(item);
      return item.end;
    });
    const turn = () => {
      scanner.read();
      return target.ready();
    };
    const chunk = (bytes: Buffer) => {
      onBytes();
      scanner.push(bytes);
    };
    const stream = new ByteStream(body, clock, LIST_SILENCE_MS);
    await stream.read({ chunk, turn }, signal);
    return scanner.end();
  }

  /** Resolves after a clean end. */
  async #watch(cursor: string, signal: AbortSignal): Promise<void> {
    const { api, path, target, clock } = this.#options;
    const { timeoutSeconds, silenceMs } = this.#watchLimits();
    const query = { watch: true, allowWatchBookmarks: true, resourceVersion: cursor, timeoutSeconds };
    const response = await api.stream(path, { ...this.#selectors, ...query }, signal);
    if (response.status !== 200) throw await errorOfResponse(response, clock);
    checkContentType(response);
    target.watchBegins();
    const began = clock.monotonic();
    const stream = new ByteStream(response.body, clock, silenceMs);
    const progress: Progress = { stream, bookmarkAt: began, bookmarks: 0, events: 0 };
    const lines = new LineSplitter();
    const onLine = (line: Buffer) => wrapScanErrors(() => this.#line(line, progress));
    await stream.read({ chunk: (bytes) => lines.push(bytes, onLine), turn: () => target.ready() }, signal);
    if (lines.isInLine)
      throw new SourceError('the stream ended in the middle of a line', { remedy: 'retry', reason: 'partial-line' });
    if (progress.events === 0 && clock.monotonic() - began < SHORT_WATCH_MS) {
      throw new SourceError('the watch ended at once without an event', { remedy: 'retry', reason: 'short-watch' });
    }
    if (this.#wasMute(progress, clock.monotonic() - began)) {
      throw new SourceError('a whole watch brought no bookmark: the server may have an older state than we have seen', {
        remedy: 'relist',
        reason: 'mute-watch',
      });
    }
    // A clean end is a success: for a quiet kind without bookmarks there is no other sign of life.
    this.#failuresInARow = 0;
    this.#options.onWatchRestart('ended');
  }

  #watchLimits(): { readonly timeoutSeconds: number; readonly silenceMs: number } {
    const { maxSilenceMs } = this.#options;
    if (maxSilenceMs === undefined) {
      const timeoutSeconds = Math.round(MIN_WATCH_S * (1 + this.#options.random()));
      return { timeoutSeconds, silenceMs: timeoutSeconds * 1000 + WATCH_GRACE_MS };
    }
    // A quiet resource may send nothing for a minute; the end of a short watch is a sure sign of life.
    return {
      timeoutSeconds: Math.round((maxSilenceMs / 4000) * (2 + this.#options.random())),
      silenceMs: maxSilenceMs,
    };
  }

  /**
   * A server restored from a backup is at an older version than our cursor. It opens the watch, sends nothing, not even a
   * bookmark, until it has caught up, and then goes on as if nothing had happened:
   * https://github.com/kubernetes/kubernetes/issues/107457
   */
  #wasMute({ bookmarks, events }: Progress, tookMs: number): boolean {
    const areShort = this.#options.maxSilenceMs !== undefined;
    const isMute = bookmarks === 0 && events === 0;
    // Short watches are added up to the length of a usual one: while the version is unchanged, servers send no bookmark.
    this.#muteMs = isMute ? tookMs + (areShort ? this.#muteMs : 0) : 0;
    const isSuspicious = this.#sendsBookmarks || !this.#hasListed;
    return isSuspicious && this.#muteMs >= (areShort ? MIN_WATCH_S * 1000 : MIN_SILENCE_MS);
  }

  #line(line: Buffer, progress: Progress): void {
    const { reader, target, clock, maxSilenceMs = MAX_SILENCE_MS } = this.#options;
    const { type, manifest } = readEvent(line, reader);
    if (type === 'ERROR') throw errorOfEvent(manifest.source().toString('utf8'));
    const { resourceVersion } = manifest;
    if (type === 'BOOKMARK') {
      const now = clock.monotonic();
      const silenceMs = BOOKMARKS_MISSED * (now - progress.bookmarkAt);
      progress.stream.limitMs = Math.min(Math.max(silenceMs, MIN_SILENCE_MS), maxSilenceMs);
      progress.bookmarkAt = now;
      progress.bookmarks++;
      this.#sendsBookmarks = true;
      if (resourceVersion !== '') target.bookmark(resourceVersion);
    } else {
      progress.events++;
      target.event(type, manifest);
    }
    if (resourceVersion !== '') this.#cursor = resourceVersion;
    this.#failuresInARow = 0;
    this.#justListed = false;
  }

  /** Decides what to do about a failure; for a relist, forgets the cursor. */
  #failureOf(verb: 'list' | 'watch', thrown: unknown): ReflectorFailure {
    const error = thrown instanceof SourceError ? thrown : toSourceError(thrown);
    const relist = verb === 'watch' && this.#needsList(error);
    // A list cures an expired version at once; waiting makes sense only if the next watch expires again.
    const isFirst = relist && !this.#justListed && error.retryAfterMs === 0;
    const backoff = error.remedy === 'refused' ? this.#refused : relist ? this.#relists : this.#backoff;
    const waitMs = isFirst ? 0 : backoff.next(error.retryAfterMs);
    if (relist) {
      this.#cursor = undefined;
      this.#listReason = error.reason;
    } else if (verb === 'watch') {
      this.#options.onWatchRestart(error.reason);
    }
    this.#failuresInARow++;
    return { verb, error, consecutive: this.#failuresInARow, waitMs, relist };
  }

  #needsList({ remedy, reason }: SourceError): boolean {
    if (remedy === 'relist') return true;
    if (remedy !== 'obstacle') return false;
    // Not by its message, which may say something else each time: "Too large resource version: 9, current: 5".
    const what = `${this.#cursor} ${reason}`;
    this.#obstacle = { what, times: what === this.#obstacle.what ? this.#obstacle.times + 1 : 1 };
    return this.#obstacle.times >= MAX_SAME_OBSTACLE;
  }
}

/** Turns a ScanError into an obstacle. The target may throw one too, as it reads parts that {@link readEvent} skipped. */
function wrapScanErrors(read: () => void): void {
  try {
    read();
  } catch (thrown) {
    if (!(thrown instanceof ScanError)) throw thrown;
    throw new SourceError(`a line of the stream cannot be read: ${thrown.message}`, {
      remedy: 'obstacle',
      reason: 'garbage',
      cause: thrown,
    });
  }
}

function toSourceError(thrown: unknown): SourceError {
  const reason = thrown instanceof ScanError || thrown instanceof SyntaxError ? 'malformed-list' : 'connection';
  return new SourceError(toError(thrown).message, { remedy: 'retry', reason, cause: thrown });
}
