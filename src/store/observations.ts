/**
 * Observations on their way to the worker. A batch crosses as three values instead of hundreds of objects. Cloning a view would
 * clone the whole buffer behind it, so the bytes are copied into one fresh buffer, which is then transferred.
 */
import { bitsOf } from './records.ts';
import type { Observation } from './scope.ts';

export interface PackedObservations {
  /** {@link TEXTS} of each: key, uid, resourceVersion. */
  readonly texts: readonly string[];
  /** {@link NUMBERS} of each: bits, digest, size of the body, size of managedFields. */
  readonly numbers: Float64Array<ArrayBuffer>;
  /** Body and managedFields of each, one after the other. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const TEXTS = 3;
const NUMBERS = 4;
/** Bits below the flags of the change. */
export const GONE = 1;
export const SILENT = 2;
const FLAG_SHIFT = 2;

/** Post the result with {@link buffersOf} as the transfer list. */
export function packObservations(observations: readonly Observation[]): PackedObservations {
  const texts: string[] = [];
  const numbers = new Float64Array(observations.length * NUMBERS);
  const size = observations.reduce((sum, o) => sum + o.body.length + (o.managedFields?.length ?? 0), 0);
  // Not Buffer.allocUnsafe: a view into Node's shared pool cannot be transferred.
  const bytes = Buffer.allocUnsafeSlow(size);
  let offset = 0;
  observations.forEach((o, i) => {
    texts.push(o.key, o.uid, o.resourceVersion);
    const managedFields = o.managedFields ?? EMPTY;
    numbers.set([packBits(o), o.digest, o.body.length, managedFields.length], i * NUMBERS);
    bytes.set(o.body, offset);
    bytes.set(managedFields, offset + o.body.length);
    offset += o.body.length + managedFields.length;
  });
  return { texts, numbers, bytes: new Uint8Array(bytes.buffer) };
}

export function buffersOf({ numbers, bytes }: PackedObservations): ArrayBuffer[] {
  return [numbers.buffer, bytes.buffer];
}

const EMPTY = new Uint8Array(0);

function packBits(o: Observation): number {
  return (o.type === 'gone' ? GONE : 0) | (o.silent === true ? SILENT : 0) | (bitsOf(o.flags) << FLAG_SHIFT);
}

/** One observation as the worker reads it. */
export interface Observed {
  /** {@link GONE}, {@link SILENT} and the flags: see {@link changeBits}. */
  readonly bits: number;
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly digest: number;
  readonly body: Uint8Array;
  /** Size of the body in bytes. */
  readonly size: number;
  /** Set if the body is already stored; then `body` is empty. */
  readonly bodyId: number | undefined;
  readonly managedFields: Uint8Array | undefined;
}

/** The bits of `ChangeFlags` in the bits of an observation, as `changes.flags` holds them. */
export function changeBits(bits: number): number {
  return bits >> FLAG_SHIFT;
}

export function* unpackObservations({ texts, numbers, bytes }: PackedObservations): Generator<Observed> {
  let offset = 0;
  for (let i = 0; i * NUMBERS < numbers.length; i++) {
    const number = (n: number): number => numbers[i * NUMBERS + n] ?? 0;
    const text = (n: number): string => texts[i * TEXTS + n] ?? '';
    const bodySize = number(2);
    const managedSize = number(3);
    const body = bytes.subarray(offset, offset + bodySize);
    const managedFields =
      managedSize === 0 ? undefined : bytes.subarray(offset + bodySize, offset + bodySize + managedSize);
    offset += bodySize + managedSize;
    yield {
      bits: number(0),
      key: text(0),
      uid: text(1),
      resourceVersion: text(2),
      digest: number(1),
      body,
      size: bodySize,
      bodyId: undefined,
      managedFields,
    };
  }
}
