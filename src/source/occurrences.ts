/** How often an Event has happened, from its bytes: asked for every repeat, most of which go no further. */
import { skipSpace } from './scan.ts';

/**
 * The numbers of an Event with one of these names are its `count`, `series.count` and `deprecatedCount`, and nothing else is:
 * labels and annotations hold strings, the API server prunes what it does not know, and a quote inside a string is escaped.
 */
const COUNTS = [Buffer.from('"count"'), Buffer.from('"deprecatedCount"')];
const COLON = 0x3a;
const ZERO = 0x30;
const NINE = 0x39;

/** The largest of them, at most 2^31 - 1, at least 1. @param event its JSON text */
export function occurrencesIn(event: Buffer): number {
  let most = 1;
  for (const name of COUNTS) {
    for (let at = event.indexOf(name); at >= 0; at = event.indexOf(name, at + name.length)) {
      most = Math.max(most, numberAfter(event, at + name.length));
    }
  }
  return most;
}

/** 0 when no member's number begins there. */
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
