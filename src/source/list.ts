/**
 * A page of a list, read while it arrives: each item is handed over once its bytes are there, so that no page is ever in memory
 * whole. A list of 1.5 MB objects outgrows the longest string that V8 can make.
 */
import { parseJson } from '../parse.ts';
import { CLOSE_ARRAY, COMMA, OPEN_ARRAY, OPEN_OBJECT } from './bytes.ts';
import { SourceError } from './failure.ts';
import { ScanError, skipSpace, skipValue, textOf, walkObject } from './scan.ts';

/** What surrounds the items. */
export interface ListEnvelope {
  /** The version of the whole list: the watch goes on from it. */
  readonly resourceVersion: string;
  /** Token of the next page; empty: this was the last one. */
  readonly continueToken: string;
}

/**
 * Gets each item where it begins, and answers the index after it; the bytes are valid during the call. When they end before the
 * item does, it throws a ScanError at `end` or beyond and is called again when there are more.
 */
export type OnItem = (bytes: Buffer, start: number, end: number) => number;

/** etcd takes 1.5 MB by default; what comes near this is no Kubernetes object. */
const MAX_OBJECT_BYTES = 32 * 1024 * 1024;
/** Everything but the items. */
const MAX_ENVELOPE_BYTES = 1024 * 1024;

/** Feed it the chunks of one answer with {@link push}, let it {@link read} now and then, and ask for its {@link end}. */
export class ListScanner {
  readonly #onItem: OnItem;
  #phase: 'head' | 'items' | 'tail' = 'head';
  /** What came before the items, or all of it when there are none; then what came after them. */
  readonly #envelope: Buffer[] = [];
  /** What has arrived and is not read yet. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** Not looked at before there are so many: an item that was cut is most likely as large as the one before it. */
  #worthALook = 0;
  #lastItemBytes = 0;

  constructor(onItem: OnItem) {
    this.#onItem = onItem;
  }

  /** @throws ScanError when so much is no list */
  push(chunk: Buffer): void {
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    const limit = this.#phase === 'items' ? MAX_OBJECT_BYTES : MAX_ENVELOPE_BYTES;
    if (this.#waitingBytes - chunk.length > limit) throw new ScanError(`no more than ${limit} bytes`, 0);
  }

  /** Hands over the items that are there: rather after several chunks, because one that is cut costs a second look. @throws ScanError when the bytes are no list */
  read(): void {
    if (this.#waitingBytes >= this.#worthALook) this.#read(false);
  }

  /** @throws SourceError, ScanError or SyntaxError when the answer ended before the list did */
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
    // A CustomResourceDefinition may call its list anything: then its items tell it.
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
    this.#worthALook = 0;
    let start = 0;
    if (this.#phase === 'head') {
      const items = itemsStart(bytes);
      if (items === undefined) return this.push(bytes);
      this.#envelope.push(Buffer.from(bytes.subarray(0, items)));
      this.#phase = 'items';
      start = items;
    }
    if (this.#phase === 'items') start = this.#items(bytes, start, isLast);
    // A copy: the rest of a chunk would keep all of it.
    if (start < bytes.length) this.push(Buffer.from(bytes.subarray(start)));
  }

  /** As many items as are there; answers the index of what is left. */
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
        if (!isLast && this.#isLikelyCut(bytes.length - i)) return i;
        const end = this.#item(bytes, i);
        if (end === undefined) return i;
        start = end;
      }
    }
  }

  #isLikelyCut(bytes: number): boolean {
    if (bytes >= this.#lastItemBytes) return false;
    this.#worthALook = this.#lastItemBytes;
    return true;
  }

  /** The index after the item; undefined: it is not all there yet. Looking again only at twice the size keeps the work linear. */
  #item(bytes: Buffer, start: number): number | undefined {
    try {
      const end = this.#onItem(bytes, start, bytes.length);
      this.#lastItemBytes = end - start;
      return end;
    } catch (thrown) {
      if (!(thrown instanceof ScanError) || thrown.at < bytes.length) throw thrown;
      this.#worthALook = 2 * (bytes.length - start);
      return undefined;
    }
  }
}

const EMPTY = Buffer.alloc(0);

/** The index after the bracket that opens the items; undefined: not there yet, or there are none. */
function itemsStart(head: Buffer): number | undefined {
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
