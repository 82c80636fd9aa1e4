import { createHash } from 'node:crypto';

/** The text, or its SHA-256 (64 hexadecimal digits) if it is longer than `maxLength`. */
export function shortKey(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : createHash('sha256').update(text).digest('hex');
}
