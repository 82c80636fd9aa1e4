/** WATCH: one open stream. Reads the log of its collection at the pace of its socket. */
import type { ServerResponse } from 'node:http';
import { apiVersionOf } from '../../change.ts';
import type { Cluster } from './cluster.ts';
import type { Faults, FaultTarget, StreamEffect } from './faults.ts';
import { checkListOptions } from './list-options.ts';
import { inNamespace } from './lists.ts';
import type { ServedType } from './resource-types.ts';
import { parseSelectors } from './selectors.ts';
import { statusBody } from './status.ts';
import type { Collection, StoredEvent, StoredObject } from './storage.ts';
import { inVersion, watchLine } from './wire.ts';

export interface WatchContext {
  readonly cluster: Cluster;
  readonly faults: Faults;
  /** Between bookmarks of a stream that asked for them, in milliseconds. */
  readonly bookmarkEveryMs: number;
  /** Serve `sendInitialEvents`. */
  readonly watchList: boolean;
}

export class WatchStream {
  readonly target: FaultTarget;
  readonly #context: WatchContext;
  readonly #type: ServedType;
  readonly #collection: Collection;
  readonly #selects: (object: StoredObject) => boolean;
  readonly #everything: boolean;
  readonly #bookmarks: boolean;
  readonly #timeoutMs: number;
  readonly #initial: readonly StoredObject[];
  readonly #initialEnd: boolean;
  readonly #close: (() => void)[] = [];
  #response: ServerResponse | undefined;
  /** A client that has seen a newer state than the server gets no older events or bookmarks. */
  readonly #from: number;
  #position: number;
  #silent = false;

  /** Throws StatusError for a request that the server refuses before it opens the stream. */
  constructor(context: WatchContext, type: ServedType, namespace: string, query: URLSearchParams, path: string) {
    this.target = { method: 'GET', path, watch: true };
    checkListOptions(query, true, context.watchList);
    this.#context = context;
    this.#type = type;
    this.#collection = context.cluster.collection(type);
    const selector = parseSelectors(type, query.get('labelSelector') ?? '', query.get('fieldSelector') ?? '');
    this.#everything = selector === undefined && namespace === '';
    this.#selects = (object) => inNamespace(object, namespace) && (selector === undefined || selector(object));
    this.#bookmarks = query.get('allowWatchBookmarks') === 'true';
    this.#timeoutMs = 1_000 * Number(query.get('timeoutSeconds') ?? 0) || 3_600_000;
    const resourceVersion = query.get('resourceVersion') ?? '';
    const now = context.cluster.revision.current;
    this.#initialEnd = query.get('sendInitialEvents') === 'true';
    // Without a version a watch begins with the existing objects, as if they had just been added.
    const fromNow = this.#initialEnd || resourceVersion === '' || resourceVersion === '0';
    this.#initial = fromNow ? this.#collection.snapshot(now) : [];
    const from = fromNow ? now : Number(resourceVersion);
    this.#from = from;
    // -1 is before the first position: the log then reports it as gone.
    this.#position = from < this.#collection.compactedTo ? -1 : this.#collection.positionAfter(from);
  }

  open(response: ServerResponse): void {
    this.#response = response;
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
    response.flushHeaders();
    const timeout = setTimeout(() => this.end(), this.#timeoutMs).unref();
    const bookmarks = setInterval(() => this.bookmark(), this.#context.bookmarkEveryMs).unref();
    this.#close.push(
      this.#collection.listen(() => this.pump()),
      () => clearTimeout(timeout),
      () => clearInterval(bookmarks),
    );
    const pump = (): void => this.pump();
    response.on('drain', pump);
    response.on('close', () => this.#release());
    for (const object of this.#initial) if (this.#selects(object)) this.#event(this.#line('ADDED', object));
    if (this.#initialEnd) this.bookmark({ 'k8s.io/initial-events-end': 'true' });
    this.pump();
  }

  /** Sends new events as far as the socket takes them, and applies faults that need no event. */
  pump(): void {
    this.#applyFault(this.#context.faults.forStream(this.target, false), undefined);
    while (this.#writable() && !this.#response?.writableNeedDrain) {
      const event = this.#collection.at(this.#position);
      if (event === undefined) return;
      if (event === 'gone') return this.#expire();
      this.#position++;
      if (event.revision <= this.#from) continue;
      const line = this.#translate(event);
      if (line !== undefined) this.#event(line);
    }
  }

  /** A BOOKMARK, if the stream asked for them and is not behind. */
  bookmark(annotations?: Readonly<Record<string, string>>): void {
    if (this.#context.cluster.revision.current < this.#from) return;
    if (!this.#bookmarks || !this.#writable() || this.#collection.at(this.#position) !== undefined) return;
    const metadata = {
      resourceVersion: String(this.#context.cluster.revision.current),
      creationTimestamp: null,
      ...(annotations === undefined ? {} : { annotations }),
    };
    const object = { kind: this.#type.kind, apiVersion: apiVersionOf(this.#type), metadata };
    this.#response?.write(watchLine('BOOKMARK', Buffer.from(JSON.stringify(object))));
  }

  /** Translates an event for the stream's selectors: an object that stops matching is DELETED, in its last matching state. */
  #translate(event: StoredEvent): Buffer | undefined {
    const { type, object, before } = event;
    if (this.#everything && type !== 'DELETED') return this.#versioned(event.line);
    const was = before !== undefined && this.#selects(before);
    const is = type !== 'DELETED' && this.#selects(object);
    if (is) return this.#line(was ? 'MODIFIED' : 'ADDED', object);
    if (!was) return undefined;
    return this.#line('DELETED', type === 'DELETED' ? object : atRevision(before, event.revision));
  }

  #line(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: StoredObject): Buffer {
    return watchLine(type, inVersion(object.bytes, this.#type));
  }

  #versioned(line: Buffer): Buffer {
    return inVersion(line, this.#type);
  }

  #event(line: Buffer): void {
    if (!this.#writable()) return;
    const effect = this.#context.faults.forStream(this.target, true);
    if (effect === undefined) this.#response?.write(line);
    else this.#applyFault(effect, line);
  }

  #applyFault(fault: StreamEffect | undefined, line: Buffer | undefined): void {
    const response = this.#response;
    if (fault === undefined || response === undefined || !this.#writable()) return;
    const half = line?.subarray(0, line.length >> 1);
    switch (fault.effect) {
      case 'resetMidLine':
        this.#silent = true;
        response.write(half, () => response.socket?.resetAndDestroy());
        break;
      case 'endMidLine':
        response.end(half);
        break;
      case 'truncatedChunk':
        this.#silent = true;
        response.socket?.end(`${(line?.length ?? 0).toString(16)}\r\n${half?.toString() ?? ''}`);
        break;
      case 'badChunkSize':
        this.#silent = true;
        response.socket?.end('no number\r\n');
        break;
      case 'stall':
        this.#silent = true;
        break;
      case 'end':
        // An event that the end replaces is read again: a bookmark would go past it.
        if (line === undefined) this.bookmark();
        response.end();
        break;
      case 'errorEvent':
        this.#error(fault.status, fault);
        break;
      case 'line':
        response.write(`${fault.line}\n`);
        if (line !== undefined) response.write(line);
        break;
      case 'duplicate':
        response.write(line);
        response.write(line);
        break;
    }
  }

  #expire(): void {
    const message = `too old resource version: the oldest that is kept is ${this.#collection.compactedTo}`;
    this.#error(410, { reason: 'Expired', message });
  }

  /** Once the stream is open, the server can report errors only inside it. */
  #error(status: number, options: { readonly reason?: string; readonly message?: string }): void {
    this.#response?.end(watchLine('ERROR', Buffer.from(JSON.stringify(statusBody(status, options)))));
  }

  /** Ends cleanly, with a last bookmark. */
  end(): void {
    this.bookmark();
    if (this.#writable()) this.#response?.end();
  }

  #writable(): boolean {
    return !this.#silent && this.#response?.writable === true && !this.#response.writableEnded;
  }

  #release(): void {
    for (const close of this.#close.splice(0)) close();
  }
}

/** An object with the revision of the event that makes it stop matching a selector. */
function atRevision(object: StoredObject, revision: number): StoredObject {
  const text = object.bytes.toString();
  const old = `"resourceVersion":"${object.revision}"`;
  return { ...object, bytes: Buffer.from(text.replace(old, `"resourceVersion":"${revision}"`)) };
}
