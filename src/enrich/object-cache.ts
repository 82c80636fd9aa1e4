/** Caches facts about objects that are not watched: for a minute, with limited memory. */
import type { ObjectFacts } from './involved.ts';

export interface CachedFacts {
  readonly facts: ObjectFacts;
  /** Monotonic, milliseconds. */
  readonly at: number;
}

const FRESH_MS = 60_000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Size of an entry besides its facts. */
const ENTRY_BYTES = 500;

export class ObjectCache {
  readonly #entries = new Map<string, CachedFacts & { readonly bytes: number }>();
  #bytes = 0;

  get(id: string): CachedFacts | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    // Reinserted, so that the least recently used entry comes first.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry;
  }

  set(id: string, facts: ObjectFacts, at: number): void {
    this.#delete(id);
    // Not the size of the answer, most of which is managedFields, which are not kept.
    const bytes = JSON.stringify(facts).length + ENTRY_BYTES;
    this.#entries.set(id, { facts, at, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= MAX_BYTES) return;
      this.#delete(oldest);
    }
  }

  #delete(id: string): void {
    this.#bytes -= this.#entries.get(id)?.bytes ?? 0;
    this.#entries.delete(id);
  }
}

/** Older entries are requested again, and used only if that would mean waiting. */
export function isFresh({ at }: CachedFacts, now: number): boolean {
  return now - at < FRESH_MS;
}
