/** What the cluster said of objects that nobody watches: for a minute, and within a limit of memory. */
import type { ObjectFacts } from './involved.ts';

export interface CachedFacts {
  readonly facts: ObjectFacts;
  /** Monotonic, milliseconds. */
  readonly at: number;
}

const FRESH_MS = 60_000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Of an entry beside its facts. */
const ENTRY_BYTES = 500;

export class ObjectCache {
  readonly #entries = new Map<string, CachedFacts & { readonly bytes: number }>();
  #bytes = 0;

  get(id: string): CachedFacts | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    // The oldest use comes first.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    return entry;
  }

  set(id: string, facts: ObjectFacts, at: number): void {
    this.#delete(id);
    // Of what the server sends most are managedFields, which are not kept.
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

/** What is older is asked for again, and used only rather than waited for. */
export function isFresh({ at }: CachedFacts, now: number): boolean {
  return now - at < FRESH_MS;
}
