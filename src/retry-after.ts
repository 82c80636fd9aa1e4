/** Reads when a server wants to be asked again. */

/**
 * `Retry-After`, seconds or an HTTP date (RFC 9110, 10.2.3), in milliseconds from `now`, clamped to 0 and `maxMs`: a server that
 * asks for more is mistaken or not coming back. Undefined if absent or unreadable.
 */
export function retryAfterMs(header: string | undefined, now: number, maxMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (text === '') return undefined;
  // Date.parse() takes "-1" for a day in 2001; a real HTTP date contains colons.
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1_000 : text.includes(':') ? Date.parse(text) - now : NaN;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), maxMs);
}
