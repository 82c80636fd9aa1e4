/** The counterpart of etcd and the watch cache: objects as bytes, one global revision, a bounded log of events. */
import type { Manifest } from '../../change.ts';
import { selectable, type Selectable } from './selectors.ts';
import { serialize, WATCH_LINE_TAIL, watchLine } from './wire.ts';
import type { ServedType } from './resource-types.ts';

/** One object at one revision. Only what selectors check is kept parsed. */
export interface StoredObject extends Selectable {
  readonly key: string;
  readonly namespace: string;
  readonly revision: number;
  readonly bytes: Buffer;
}

export interface StoredEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly revision: number;
  /** For a deletion the last state, with the revision of the deletion. */
  readonly object: StoredObject;
  readonly before: StoredObject | undefined;
  /** The line on the wire unless a selector translates it: made once for all watches. */
  readonly line: Buffer;
}

/** The revision of an object's bytes is fixed when they are written. */
export function stored(manifest: Manifest, type: ServedType): StoredObject {
  const { name, namespace = '', resourceVersion } = manifest.metadata;
  return {
    key: keyOf(name, namespace),
    namespace,
    revision: Number(resourceVersion),
    bytes: serialize(manifest, type),
    ...selectable(manifest),
  };
}

export function keyOf(name: string, namespace = ''): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

export function parse(object: StoredObject): Manifest {
  return JSON.parse(object.bytes.toString()) as Manifest;
}

/** The global revision: each write takes the next one. */
export class Revision {
  // A cluster that has just been installed has seen some hundred writes.
  #current = 500;

  get current(): number {
    return this.#current;
  }

  next(): number {
    return ++this.#current;
  }

  /** Takes the next `count` at once and returns the first of them. */
  take(count: number): number {
    this.#current += count;
    return this.#current - count + 1;
  }
}

/** The minimum kept for watches and continue tokens. */
const EVENTS_KEPT = 50_000;

/** The objects and the events of one kind, in all its versions. */
export class Collection {
  readonly #objects = new Map<string, StoredObject>();
  readonly #listeners = new Set<() => void>();
  #events: StoredEvent[] = [];
  /** The number of events removed from the front of the log, so that positions in it stay valid. */
  #trimmed = 0;
  /** Events up to this revision are gone. */
  #compactedTo: number;
  #sortedKeys: readonly string[] | undefined = [];

  constructor(compactedTo: number) {
    this.#compactedTo = compactedTo;
  }

  get compactedTo(): number {
    return this.#compactedTo;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  put(object: StoredObject): void {
    const before = this.#objects.get(object.key);
    if (before === undefined) this.#sortedKeys = undefined;
    this.#objects.set(object.key, this.#append(before === undefined ? 'ADDED' : 'MODIFIED', object, before));
    this.#notify();
  }

  /** @param last the last state, with the revision of the deletion. */
  remove(last: StoredObject): void {
    const before = this.#objects.get(last.key);
    this.#objects.delete(last.key);
    this.#sortedKeys = undefined;
    this.#append('DELETED', last, before);
    this.#notify();
  }

  /** Returns the object with its bytes as a slice of the event's line, so that they are held once. */
  #append(type: StoredEvent['type'], given: StoredObject, before: StoredObject | undefined): StoredObject {
    const line = watchLine(type, given.bytes);
    const start = line.length - given.bytes.length - WATCH_LINE_TAIL.length;
    const object = { ...given, bytes: line.subarray(start, start + given.bytes.length) };
    this.#events.push({ type, revision: object.revision, object, before, line });
    // Trimmed by half: removing single events from the front would move the whole log each time.
    if (this.#events.length > 2 * EVENTS_KEPT) this.#trim(this.#events.length - EVENTS_KEPT);
    return object;
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #trim(count: number): void {
    const last = this.#events[count - 1];
    if (last === undefined) return;
    this.#events = this.#events.slice(count);
    this.#trimmed += count;
    this.#compactedTo = last.revision;
  }

  /** Forgets all events up to now. */
  compact(revision: number): void {
    this.#trim(this.#events.length);
    this.#compactedTo = revision;
    this.#notify();
  }

  /** The position in the log of the first event after the revision. */
  positionAfter(revision: number): number {
    const at = this.#events.findIndex((event) => event.revision > revision);
    return this.#trimmed + (at === -1 ? this.#events.length : at);
  }

  /** The event at a position; undefined at the end of the log; `gone` if it was compacted away. */
  at(position: number): StoredEvent | 'gone' | undefined {
    return position < this.#trimmed ? 'gone' : this.#events[position - this.#trimmed];
  }

  /** Calls back after each event and each compaction. Returns a function that ends this. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Every object as it was at the revision, sorted by key. The revision must not be compacted. */
  snapshot(revision: number): readonly StoredObject[] {
    const at = this.positionAfter(revision) - this.#trimmed;
    if (at === this.#events.length) return this.#current();
    const objects = new Map(this.#objects);
    for (const { object, before } of this.#events.slice(at).toReversed()) {
      if (before === undefined) objects.delete(object.key);
      else objects.set(object.key, before);
    }
    return [...objects.values()].sort((a, b) => compare(a.key, b.key));
  }

  #current(): readonly StoredObject[] {
    this.#sortedKeys ??= [...this.#objects.keys()].sort(compare);
    return this.#sortedKeys.flatMap((key) => this.#objects.get(key) ?? []);
  }
}

/** By bytes, as etcd sorts. */
export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
