/** Finds private keys in PEM: any text may be one, or a file with one, whatever it is called. */
import { BACKSLASH, QUOTE } from './bytes.ts';
import type { OnSpan } from './secret-spans.ts';

const PRIVATE_KEY = Buffer.from('PRIVATE KEY');
/** Of the text before `PRIVATE KEY`: `-----BEGIN OPENSSH `. */
const BEGIN = /-----BEGIN (?:[A-Z0-9]+ ){0,2}$/;
const END = /-----END (?:[A-Z0-9]+ ){0,2}$/;
/** Of the text after it. A line break must follow: a script that searches for the first line holds no key. */
const REST_OF_FIRST_LINE = /^(?: BLOCK)?-----(?:\\+[nr]|\s)/;
const REST_OF_LAST_LINE = /^(?: BLOCK)?-----/;
/** More than the words of either line take. */
const LINE_BYTES = 48;

/** From the first line of each key to its last one, or to the end of the string. */
export function findPrivateKeys(bytes: Buffer, onSpan: OnSpan): void {
  let stringEnd = 0;
  for (let at = bytes.indexOf(PRIVATE_KEY); at !== -1; at = bytes.indexOf(PRIVATE_KEY, at + 1)) {
    const begin = BEGIN.exec(before(bytes, at))?.[0];
    if (begin === undefined || !REST_OF_FIRST_LINE.test(after(bytes, at))) continue;
    if (at >= stringEnd) stringEnd = endOfString(bytes, at);
    const end = endOfKey(bytes, at, stringEnd);
    onSpan(at - begin.length, end, true);
    at = end;
  }
}

function endOfKey(bytes: Buffer, from: number, stringEnd: number): number {
  for (let at = bytes.indexOf(PRIVATE_KEY, from + 1); at !== -1; at = bytes.indexOf(PRIVATE_KEY, at + 1)) {
    if (at >= stringEnd) return stringEnd;
    const rest = REST_OF_LAST_LINE.exec(after(bytes, at))?.[0];
    if (rest !== undefined && END.test(before(bytes, at))) return at + PRIVATE_KEY.length + rest.length;
  }
  return stringEnd;
}

/** Where the quote is that ends the string around `i`. */
function endOfString(bytes: Buffer, i: number): number {
  while (i < bytes.length && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return Math.min(i, bytes.length);
}

function before(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', Math.max(0, at - LINE_BYTES), at);
}

function after(bytes: Buffer, at: number): string {
  const start = at + PRIVATE_KEY.length;
  return bytes.toString('latin1', start, start + LINE_BYTES);
}
