/**
 * Reads a page of a list while it arrives: each item is handed over once its bytes are there, so a page is never in memory
 * as a whole. A list of 1.5 MB objects would exceed V8's maximum string length.
 */
import { parseJson } from '../parse-json.ts';
import { CLOSE_ARRAY, COMMA, OPEN_ARRAY, OPEN_OBJECT } from './bytes.ts';
import { SourceError } from './failure.ts';
import { ScanError, skipSpace, skipValue, textOf, walkObject } from './scan.ts';

/** What surrounds the items of a page. */
export interface ListEnvelope {
  /** The version of the whole list, from which to watch. */
  readonly resourceVersion: string;
  /** Token of the next page; empty if this is the last one. */
  readonly continueToken: string;
}

/**
 * Called at the start of each item, returns the index after it; the bytes are valid during the call. If they end before the
 * item does, it must throw a ScanError at `end` or beyond, and is called again when there are more.
 */
export type OnItem = (bytes: Buffer, start: number, end: number) => number;

/** Far more than any Kubernetes object: etcd's default limit is 1.5 MB. */
const MAX_OBJECT_BYTES = 32 * 1024 * 1024;
/** Everything but the items. */
const MAX_ENVELOPE_BYTES = 1024 * 1024;

/** Takes the chunks of one answer by {@link push}, hands over complete items on {@link read}, and finishes with {@link end}. */
export class ListScanner {
  readonly #onItem: OnItem;
  #phase: 'head' | 'items' | 'tail' = 'head';
  /** What precedes the items (or everything if there are none), then what follows them. */
  readonly #envelope: Buffer[] = [];
  /** Bytes that have arrived and have not been read yet. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Wait for this many bytes before the next look: an incomplete item is most likely as large as the one before it. */
  #bytesBeforeRead = 0;
  #lastItemBytes = 0;

  constructor(onItem: OnItem) {
    this.#onItem = onItem;
  }

  /** @throws ScanError if a single item or the envelope is too large */
  push(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    const limit = this.#phase === 'items' ? MAX_OBJECT_BYTES : MAX_ENVELOPE_BYTES;
    if (this.#waitingBytes - chunk.length > limit) throw new ScanError(`no more than ${limit} bytes`, 0);
  }

  /**
   * Hands over the complete items. Best called after several chunks, as an incomplete item costs a second look.
   * @throws ScanError if the bytes are not a list
   */
  read(): void {
    if (this.#waitingBytes >= this.#bytesBeforeRead) this.#read(false);
  }

  /** @throws SourceError, ScanError or SyntaxError if the answer ended before the list did */
  end(): ListEnvelope {
    this.#read(true);
    if (this.#phase === 'items')
      throw new SourceError('the answer ended in the middle of the list', {
        remedy: 'retry',
        reason: 'malformed-list',
      });
    const { kind, metadata } = parseJson(Buffer.concat([...this.#envelope, ...this.#waiting])) as {
      readonly kind?: unknown;
      readonly metadata?: { readonly resourceVersion?: unknown; readonly continue?: unknown };
    };
    // A CustomResourceDefinition may give its list any kind; then having items makes it a list.
    const isList = typeof kind === 'string' && (kind.endsWith('List') || this.#phase === 'tail');
    if (!isList) throw new ScanError('a kind that ends with List, or items', 0);
    const { resourceVersion, continue: token } = metadata ?? {};
    if (typeof resourceVersion !== 'string' || resourceVersion === '') throw new ScanError('a resourceVersion', 0);
    return { resourceVersion, continueToken: typeof token === 'string' ? token : '' };
  }

  #read(isLast: boolean): void {
    const bytes = this.#waiting.length === 1 ? (this.#waiting[0] ?? EMPTY) : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#bytesBeforeRead = 0;
    let start = 0;
    if (this.#phase === 'head') {
      const items = startOfItems(bytes);
      if (items === undefined) return this.push(bytes);
      this.#envelope.push(Buffer.from(bytes.subarray(0, items)));
      this.#phase = 'items';
      start = items;
    }
    if (this.#phase === 'items') start = this.#items(bytes, start, isLast);
    // Copied, because a subarray would keep the whole chunk in memory.
    if (start < bytes.length) this.push(Buffer.from(bytes.subarray(start)));
  }

  /** Hands over all complete items; returns the index of the rest. */
  #items(bytes: Buffer, start: number, isLast: boolean): number {
    for (;;) {
      const i = skipSpace(bytes, start, bytes.length);
      if (i === bytes.length) return i;
      if (bytes[i] === COMMA) {
        start = i + 1;
      } else if (bytes[i] === CLOSE_ARRAY) {
        this.#phase = 'tail';
        return i;
      } else {
        if (bytes[i] !== OPEN_OBJECT) throw new ScanError('an item', i);
        if (!isLast && this.#isLikelyIncomplete(bytes.length - i)) return i;
        const end = this.#item(bytes, i);
        if (end === undefined) return i;
        start = end;
      }
    }
  }

  #isLikelyIncomplete(bytes: number): boolean {
    if (bytes >= this.#lastItemBytes) return false;
    this.#bytesBeforeRead = this.#lastItemBytes;
    return true;
  }

  /** The index after the item, or undefined if it is incomplete. Looking again only at twice the size keeps the work linear. */
  #item(bytes: Buffer, start: number): number | undefined {
    try {
      const end = this.#onItem(bytes, start, bytes.length);
      this.#lastItemBytes = end - start;
      return end;
    } catch (thrown) {
      if (!(thrown instanceof ScanError) || thrown.at < bytes.length) throw thrown;
      this.#bytesBeforeRead = 2 * (bytes.length - start);
      return undefined;
    }
  }
}

const EMPTY = Buffer.alloc(0);

/** The index after the bracket that opens the items; undefined if it has not arrived yet or there is none. */
function startOfItems(head: Buffer): number | undefined {
  let found: number | undefined;
  try {
    walkObject(head, skipSpace(head, 0, head.length), head.length, (key, keyEnd, value) => {
      if (head[value] === OPEN_ARRAY && textOf(head, key, keyEnd) === 'items') found = value + 1;
      return skipValue(head, value, head.length);
    });
  } catch (thrown) {
    const endedEarly = thrown instanceof ScanError && (found !== undefined || thrown.at >= head.length);
    if (!endedEarly) throw thrown;
  }
  return found;
}
