/**
 * Keeps one scope in step with the cluster: list, watch, and after whatever goes wrong the cheapest way back. The rules are
 * client-go's (https://github.com/kubernetes/client-go/blob/master/tools/cache/reflector.go); where they differ, a comment says why.
 *
 *   list ──▶ watch ──clean end──▶ watch from the cursor, at once
 *    ▲         ├──reset, 429, 5xx, silence, half a line──▶ wait, watch from the cursor
 *    └──410, the same obstacle three times─┘
 */
import { pause, type Clock } from '../clock.ts';
import { toError } from '../errors.ts';
import type { ApiClient, ApiStream, Query } from './api.ts';
import { Backoff } from './backoff.ts';
import { ByteStream } from './byte-stream.ts';
import { checkContentType, failedAnswer, failedEvent, SourceError } from './failure.ts';
import { ListScanner, type ListEnvelope } from './list.ts';
import type { ManifestReader, ScannedManifest } from './manifest.ts';
import { ScanError } from './scan.ts';
import { LineSplitter, readEvent } from './watch.ts';

/** Where a reflector brings what it hears. Calls come one at a time, in the order of the cluster. */
export interface ReflectorTarget {
  /** A whole list follows, by {@link listed}, and ends with {@link listEnded} or {@link listFailed}. */
  listBegins(): Promise<void>;
  /** The manifest is valid during the call. */
  listed(item: ScannedManifest): void;
  /** `again`: it was not what was expected, and is wanted once more from the start. */
  listEnded(resourceVersion: string): Promise<'kept' | 'again'>;
  /** What was listed since {@link listBegins} counts for nothing. */
  listFailed(): Promise<void>;
  /** The server has accepted a watch. */
  watchBegins(): void;
  /** The manifest is valid during the call. */
  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', manifest: ScannedManifest): void;
  bookmark(resourceVersion: string): void;
  /** What arrived in one read of the socket has been handed over. While the promise is pending nothing more is read. */
  ready(): Promise<void> | undefined;
  failed(failure: ReflectorFailure): void;
}

export interface ReflectorFailure {
  readonly verb: 'list' | 'watch';
  readonly error: SourceError;
  /** 1 for the first since it last worked. */
  readonly inARow: number;
  /** When it tries again, milliseconds from now. */
  readonly waitMs: number;
  /** The next thing is a list. */
  readonly relist: boolean;
}

export interface ReflectorOptions {
  readonly api: ApiClient;
  /** `/api/v1/namespaces/shop/pods`. */
  readonly path: string;
  /** `""`: none. Set on list and watch alike. */
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly reader: ManifestReader;
  readonly target: ReflectorTarget;
  readonly clock: Clock;
  /** After so long without a byte a watch is given up, milliseconds. Undefined: by how often bookmarks come. */
  readonly maxSilenceMs: number | undefined;
  /** Runs one list, when its turn has come; from `leave` on it holds up no other. */
  readonly inTurn: <T>(list: (leave: () => void) => Promise<T>, signal: AbortSignal) => Promise<T>;
  /** Counts. */
  readonly onList: (reason: string) => void;
  readonly onWatchRestart: (reason: string) => void;
  readonly random: () => number;
}

const PAGE_LIMIT = 500;
/** A list that makes no progress for this long is given up. */
const LIST_SILENCE_MS = 60_000;
/** Who is not answered for so long lets others list: where a webhook or an aggregated server hangs, dozens of kinds do, 30 s each. */
const TURN_PATIENCE_MS = 2_000;
/** Ours is random from 5 to 10 minutes, as client-go's, so that watches which began together end apart. */
const MIN_WATCH_S = 300;
/** How much longer than it promised a server may keep a silent watch open. */
const WATCH_GRACE_MS = 30_000;
/** Bookmarks come about every minute; three may be missed within these bounds. */
const BOOKMARKS_MISSED = 3;
const MIN_SILENCE_MS = 90_000;
const MAX_SILENCE_MS = 150_000;
/** A watch that ends at once without an event, bookmarks apart, is no clean end: something cuts it. */
const SHORT_WATCH_MS = 1_000;
/** The same obstacle this often: list anew. */
const MAX_SAME = 3;
/** Nothing but somebody's action helps a scope that is refused. */
const REFUSED_BACKOFF = { initialMs: 5_000, maxMs: 60_000 } as const;

/** Of one watch. */
interface Progress {
  readonly stream: ByteStream;
  /** When the last bookmark came; at first when the watch began. */
  bookmarkAt: number;
  bookmarks: number;
  events: number;
}

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #selectors: Query;
  readonly #backoff: Backoff;
  readonly #refused: Backoff;
  /** Of lists that lead to no working watch. Apart: a server that was away, and is back without its history, is no reason to wait. */
  readonly #relists: Backoff;
  /** The version that the watch goes on from; undefined: a list comes next. */
  #cursor: string | undefined;
  /** Why the next list is due, for the metrics. */
  #listReason: string;
  /** The last list has not led to a working watch yet. */
  #justListed = false;
  #failuresInARow = 0;
  /** Some servers send none, however they are asked. */
  #sendsBookmarks = false;
  /** The server has listed for us. From a stored version it may have been restored to before that while nothing was watching. */
  #hasListed = false;
  /** How long nothing has come, not even a bookmark, of watches that the server has ended as asked, milliseconds. */
  #muteMs = 0;
  /** What stopped the watch at the same place before, and how often. */
  #obstacle = { what: '', times: 0 };

  /**
   * @param cursor where to watch on; undefined: list first
   * @param listReason why the first list is due, should it be
   */
  constructor(options: ReflectorOptions, cursor: string | undefined, listReason: string) {
    this.#options = options;
    this.#cursor = cursor;
    this.#listReason = listReason;
    const { clock, random, labelSelector, fieldSelector } = options;
    this.#backoff = new Backoff({ clock, random });
    this.#relists = new Backoff({ clock, random });
    this.#refused = new Backoff({ clock, random: () => (1 + random()) / 2, ...REFUSED_BACKOFF });
    this.#selectors = { labelSelector: labelSelector || undefined, fieldSelector: fieldSelector || undefined };
  }

  /** Runs until the signal aborts, or until `giveUp` says so of a failure; then resolves. */
  async run(signal: AbortSignal, giveUp: (failure: ReflectorFailure) => boolean): Promise<void> {
    while (!signal.aborted) {
      const verb = this.#cursor === undefined ? 'list' : 'watch';
      try {
        if (this.#cursor === undefined) await this.#options.inTurn((leave) => this.#list(leave, signal), signal);
        else await this.#watch(this.#cursor, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const failure = this.#judge(verb, thrown);
        this.#options.target.failed(failure);
        if (giveUp(failure)) return;
        if (failure.waitMs > 0) await pause(this.#options.clock, failure.waitMs, signal);
      }
    }
  }

  async #list(leave: () => void, signal: AbortSignal): Promise<void> {
    const { target, onList } = this.#options;
    onList(this.#listReason);
    await target.listBegins();
    let resourceVersion: string;
    try {
      resourceVersion = await this.#pages(leave, signal);
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

  /** All pages, or none: an expired token voids what came before, and everything is asked for at once, as client-go's pager does. */
  async #pages(leave: () => void, signal: AbortSignal): Promise<string> {
    const { target } = this.#options;
    let token = '';
    for (;;) {
      let page: ListEnvelope;
      try {
        page = await this.#page({ limit: PAGE_LIMIT, continue: token || undefined }, leave, signal);
      } catch (thrown) {
        if (token === '' || !(thrown instanceof SourceError) || thrown.remedy !== 'relist') throw thrown;
        this.#options.onList('continue-expired');
        await target.listFailed();
        await target.listBegins();
        page = await this.#page({}, leave, signal);
      }
      if (page.continueToken === '') return page.resourceVersion;
      token = page.continueToken;
    }
  }

  async #page(query: Query, leave: () => void, signal: AbortSignal): Promise<ListEnvelope> {
    const { api, path, clock } = this.#options;
    // No resourceVersion: the newest, from a quorum. A cache could answer with a state from before our cursor.
    const inTime = clock.after(TURN_PATIENCE_MS, leave);
    try {
      const answer = await api.stream(path, { ...this.#selectors, ...query }, signal);
      if (answer.status !== 200) throw await failedAnswer(answer, clock);
      checkContentType(answer);
      return await this.#items(answer.body, inTime, signal);
    } finally {
      inTime();
    }
  }

  /** @param onBytes called when there are some */
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
    const answer = await api.stream(path, { ...this.#selectors, ...query }, signal);
    if (answer.status !== 200) throw await failedAnswer(answer, clock);
    checkContentType(answer);
    target.watchBegins();
    const began = clock.monotonic();
    const stream = new ByteStream(answer.body, clock, silenceMs);
    const progress: Progress = { stream, bookmarkAt: began, bookmarks: 0, events: 0 };
    const lines = new LineSplitter();
    const onLine = (line: Buffer) => unlessGarbage(() => this.#line(line, progress));
    await stream.read({ chunk: (bytes) => lines.push(bytes, onLine), turn: () => target.ready() }, signal);
    if (lines.partial)
      throw new SourceError('the stream ended in the middle of a line', { remedy: 'retry', reason: 'partial-line' });
    if (progress.events === 0 && clock.monotonic() - began < SHORT_WATCH_MS) {
      throw new SourceError('the watch ended at once without an event', { remedy: 'retry', reason: 'short-watch' });
    }
    if (this.#wasMute(progress, clock.monotonic() - began)) {
      throw new SourceError('a whole watch without a bookmark: the server may be at an older state than we have seen', {
        remedy: 'relist',
        reason: 'mute-watch',
      });
    }
    // All that a server without bookmarks says of a quiet kind: it worked.
    this.#failuresInARow = 0;
    this.#options.onWatchRestart('ended');
  }

  #watchLimits(): { readonly timeoutSeconds: number; readonly silenceMs: number } {
    const { maxSilenceMs } = this.#options;
    if (maxSilenceMs === undefined) {
      const timeoutSeconds = Math.round(MIN_WATCH_S * (1 + this.#options.random()));
      return { timeoutSeconds, silenceMs: timeoutSeconds * 1000 + WATCH_GRACE_MS };
    }
    // Nothing may come for a minute of a quiet resource: the end of a short watch is what is surely heard.
    return {
      timeoutSeconds: Math.round((maxSilenceMs / 4000) * (2 + this.#options.random())),
      silenceMs: maxSilenceMs,
    };
  }

  /**
   * Restored from a backup, a server is at an older version than our cursor. It opens the watch, sends nothing before it has come
   * as far, not even a bookmark, and then goes on as if nothing had been different: https://github.com/kubernetes/kubernetes/issues/107457
   */
  #wasMute({ bookmarks, events }: Progress, tookMs: number): boolean {
    const areShort = this.#options.maxSilenceMs !== undefined;
    const isMute = bookmarks === 0 && events === 0;
    // Short watches count together, up to the length of a usual one: from an unchanged version servers send no bookmark.
    this.#muteMs = isMute ? tookMs + (areShort ? this.#muteMs : 0) : 0;
    const isSuspicious = this.#sendsBookmarks || !this.#hasListed;
    return isSuspicious && this.#muteMs >= (areShort ? MIN_WATCH_S * 1000 : MIN_SILENCE_MS);
  }

  #line(line: Buffer, progress: Progress): void {
    const { reader, target, clock, maxSilenceMs = MAX_SILENCE_MS } = this.#options;
    const { type, manifest } = readEvent(line, reader);
    if (type === 'ERROR') throw failedEvent(manifest.source().toString('utf8'));
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

  /** What to do about a failure, already begun: a relist is a cursor forgotten. */
  #judge(verb: 'list' | 'watch', thrown: unknown): ReflectorFailure {
    const error = thrown instanceof SourceError ? thrown : unexpected(thrown);
    const relist = verb === 'watch' && this.#needsList(error);
    // A list heals an expired version at once; only when the watch after it expires again it is worth waiting.
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
    return { verb, error, inARow: this.#failuresInARow, waitMs, relist };
  }

  #needsList({ remedy, message }: SourceError): boolean {
    if (remedy === 'relist') return true;
    if (remedy !== 'obstacle') return false;
    const what = `${this.#cursor} ${message}`;
    this.#obstacle = { what, times: what === this.#obstacle.what ? this.#obstacle.times + 1 : 1 };
    return this.#obstacle.times >= MAX_SAME;
  }
}

/** What is wrong with a line may also show when the target looks at it closely. */
function unlessGarbage(read: () => void): void {
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

function unexpected(thrown: unknown): SourceError {
  const reason = thrown instanceof ScanError || thrown instanceof SyntaxError ? 'malformed-list' : 'connection';
  return new SourceError(toError(thrown).message, { remedy: 'retry', reason, cause: thrown });
}
