/** Reads a watch stream as bytes: splits it into lines, and each line into its parts. */
import type { ManifestReader, ScannedManifest } from './manifest.ts';
import { isToken, Members, ScanError, skipSpace, skipValue } from './scan.ts';

const LINE_FEED = 0x0a;
/** Ten times an event with the largest object that etcd accepts by default. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** As the API server names them; the commonest first. */
const TYPES = (['MODIFIED', 'ADDED', 'DELETED', 'BOOKMARK', 'ERROR'] as const).map((type) => ({
  type,
  token: Buffer.from(`"${type}"`),
}));
type WatchType = (typeof TYPES)[number]['type'];
/** Those that are about an object. */
export type ObjectEventType = Exclude<WatchType, 'BOOKMARK' | 'ERROR'>;
const TYPE = Buffer.from('"type"');
const OBJECT = Buffer.from('"object"');

export interface WatchEvent {
  readonly type: WatchType;
  /** For BOOKMARK only its resourceVersion is meaningful, for ERROR only its source. */
  readonly manifest: ScannedManifest;
}

/**
 * Splits on 0x0A alone, which never occurs inside a JSON string. U+2028, on which other splitters break lines, may.
 */
export class LineSplitter {
  /** The pieces of an incomplete line, so that a long one is copied only once. */
  #pieces: Buffer[] = [];
  #piecesBytes = 0;

  /** Calls `onLine` with each complete line, without its line feed; the bytes are valid during the call. Skips empty lines. */
  push(chunk: Buffer, onLine: (line: Buffer) => void): void {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      const line = this.#joinLine(chunk.subarray(start, end));
      start = end + 1;
      if (skipSpace(line, 0, line.length) < line.length) onLine(line);
    }
    if (start === chunk.length) return;
    this.#pieces.push(start === 0 ? chunk : Buffer.from(chunk.subarray(start)));
    this.#piecesBytes += chunk.length - start;
    if (this.#piecesBytes > MAX_LINE_BYTES) throw new ScanError(`a line of at most ${MAX_LINE_BYTES} bytes`, 0);
  }

  /** Whether the bytes so far end in the middle of a line. */
  get isInLine(): boolean {
    return this.#piecesBytes > 0;
  }

  #joinLine(end: Buffer): Buffer {
    if (this.#piecesBytes === 0) return end;
    const line = Buffer.concat([...this.#pieces, end]);
    this.#pieces = [];
    this.#piecesBytes = 0;
    return line;
  }
}

/** @throws ScanError if the line is not a watch event */
export function readEvent(line: Buffer, reader: ManifestReader): WatchEvent {
  let type: WatchType | undefined;
  let manifest: ScannedManifest | undefined;
  const members = new Members(line, skipSpace(line, 0, line.length), line.length);
  while (members.next()) {
    if (isToken(line, members.key, members.keyEnd, OBJECT)) {
      // The type comes first in a watch event, so the object is its last member.
      manifest = reader.read(line, members.value, line.length, type === 'MODIFIED');
      members.valueEnd = manifest.end;
      continue;
    }
    members.valueEnd = skipValue(line, members.value, line.length);
    if (isToken(line, members.key, members.keyEnd, TYPE)) type = typeOf(line, members.value, members.valueEnd);
  }
  const end = members.valueEnd;
  if (skipSpace(line, end, line.length) < line.length) throw new ScanError('the end of the line', end);
  if (manifest === undefined || type === undefined) throw new ScanError('a watch event', 0);
  return { type, manifest };
}

function typeOf(line: Buffer, start: number, end: number): WatchType | undefined {
  return TYPES.find(({ token }) => isToken(line, start, end, token))?.type;
}
