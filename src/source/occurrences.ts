/** How often an Event has happened, read from its bytes: needed for every repeat, and most repeats go no further. */
import { COLON } from './bytes.ts';
import { skipSpace } from './scan.ts';

/**
 * In an Event, only `count`, `series.count` and `deprecatedCount` are numbers with one of these names:
 * labels and annotations hold strings, the API server prunes unknown fields, and a quote inside a string is escaped.
 */
const COUNTS = [Buffer.from('"count"'), Buffer.from('"deprecatedCount"')];
const ZERO = 0x30;
const NINE = 0x39;

/** The largest count, from 1 to 2^31 - 1. @param event its JSON text */
export function occurrencesIn(event: Buffer): number {
  let most = 1;
  for (const name of COUNTS) {
    for (let at = event.indexOf(name); at >= 0; at = event.indexOf(name, at + name.length)) {
      most = Math.max(most, numberAfter(event, at + name.length));
    }
  }
  return most;
}

/** The number of the member whose key ends at `from`; 0 if there is none. */
function numberAfter(event: Buffer, from: number): number {
  const colon = skipSpace(event, from, event.length);
  if (event[colon] !== COLON) return 0;
  let number = 0;
  for (let i = skipSpace(event, colon + 1, event.length); i < event.length; i++) {
    const digit = event[i] ?? 0;
    if (digit < ZERO || digit > NINE) break;
    number = Math.min(number * 10 + digit - ZERO, 2 ** 31 - 1);
  }
  return number;
}
