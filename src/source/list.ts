/**
 * A page of a list, read while it arrives: each item is handed over as soon as its bytes are there, so that no page is ever
 * in memory whole. A list of 1.5 MB objects outgrows the longest string that V8 can make.
 */
import { parseJson } from '../parse.ts';
import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  ScanError,
  skipSpace,
  skipValue,
  textOf,
  walkObject,
} from './scan.ts';

/** What surrounds the items. */
export interface ListEnvelope {
  /** The version of the whole list: the watch goes on from it. */
  readonly resourceVersion: string;
  /** Token of the next page; empty: this was the last one. */
  readonly continueToken: string;
}

/** etcd takes 1.5 MB by default; what comes near this is no Kubernetes object. */
export const MAX_OBJECT_BYTES = 32 * 1024 * 1024;
/** Everything but the items. */
const MAX_ENVELOPE_BYTES = 1024 * 1024;

/**
 * Gets each item where it begins, and answers the index after it; the bytes are valid during the call. When they end before the
 * item does, it throws a ScanError at `end` or beyond and is called again with the whole item.
 */
export type OnItem = (bytes: Buffer, start: number, end: number) => number;

/** Feed it the chunks of one answer with {@link push}, then ask for its {@link end}. */
export class ListScanner {
  readonly #onItem: OnItem;
  /** What came before the items, or all of it when there are none. */
  #head: Buffer = EMPTY;
  #tail: Buffer = EMPTY;
  #phase: 'head' | 'between' | 'item' | 'tail' = 'head';
  /** The bytes of an item that began in an earlier chunk. */
  #begun: Buffer[] = [];
  #begunBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(onItem: OnItem) {
    this.#onItem = onItem;
  }

  /** @throws ScanError when the bytes are no list */
  push(chunk: Buffer): void {
    let i = 0;
    while (i < chunk.length) {
      if (this.#phase === 'head') {
        const before = this.#head.length;
        this.#head = limited(Buffer.concat([this.#head, chunk]));
        const items = itemsStart(this.#head);
        if (items === undefined) return;
        i = items - before;
        this.#head = Buffer.from(this.#head.subarray(0, items));
        this.#phase = 'between';
      } else if (this.#phase === 'between') {
        i = this.#between(chunk, i);
      } else if (this.#phase === 'item') {
        i = this.#item(chunk, i);
      } else {
        this.#tail = limited(Buffer.concat([this.#tail, chunk.subarray(i)]));
        return;
      }
    }
  }

  /** @throws ScanError or SyntaxError when the answer ended before the list did */
  end(): ListEnvelope {
    if (this.#phase === 'between' || this.#phase === 'item') throw new ScanError('the rest of the list', 0);
    const { kind, metadata } = parseJson(Buffer.concat([this.#head, this.#tail])) as {
      kind?: unknown;
      metadata?: { resourceVersion?: unknown; continue?: unknown };
    };
    if (typeof kind !== 'string' || !kind.endsWith('List'))
      throw new ScanError('an object whose kind ends with List', 0);
    const { resourceVersion, continue: token } = metadata ?? {};
    if (typeof resourceVersion !== 'string' || resourceVersion === '')
      throw new ScanError('a list with a resourceVersion', 0);
    return { resourceVersion, continueToken: typeof token === 'string' ? token : '' };
  }

  #between(chunk: Buffer, start: number): number {
    const i = skipSpace(chunk, start, chunk.length);
    if (i === chunk.length) return i;
    if (chunk[i] === COMMA) return i + 1;
    if (chunk[i] === CLOSE_ARRAY) {
      this.#phase = 'tail';
      return i;
    }
    if (chunk[i] !== OPEN_OBJECT) throw new ScanError('an item', i);
    return this.#try(chunk, i);
  }

  /** Most items lie in one chunk: reading them at once saves looking for their end first. */
  #try(chunk: Buffer, start: number): number {
    try {
      return this.#onItem(chunk, start, chunk.length);
    } catch (thrown) {
      if (!(thrown instanceof ScanError) || thrown.at < chunk.length) throw thrown;
      this.#phase = 'item';
      return start;
    }
  }

  /** Resumable: an item may be cut anywhere, also between a backslash and what it escapes. */
  #item(chunk: Buffer, start: number): number {
    let i = start;
    while (i < chunk.length) {
      const byte = chunk[i++];
      if (this.#escaped) this.#escaped = false;
      else if (this.#inString) {
        if (byte === QUOTE) this.#inString = false;
        else if (byte === BACKSLASH) this.#escaped = true;
      } else if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.#depth++;
      else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --this.#depth === 0) {
        this.#whole(chunk.subarray(start, i));
        return i;
      }
    }
    this.#begun.push(Buffer.from(chunk.subarray(start)));
    this.#begunBytes += chunk.length - start;
    if (this.#begunBytes > MAX_OBJECT_BYTES) throw new ScanError(`an item of at most ${MAX_OBJECT_BYTES} bytes`, start);
    return chunk.length;
  }

  #whole(rest: Buffer): void {
    const item = Buffer.concat([...this.#begun, rest]);
    this.#begun = [];
    this.#begunBytes = 0;
    this.#phase = 'between';
    this.#onItem(item, 0, item.length);
  }
}

const EMPTY = Buffer.alloc(0);

function limited(envelope: Buffer): Buffer {
  if (envelope.length > MAX_ENVELOPE_BYTES) throw new ScanError(`a list within ${MAX_ENVELOPE_BYTES} bytes`, 0);
  return envelope;
}

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
