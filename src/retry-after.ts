/** When a server wants to be asked again. */

/**
 * `Retry-After`, seconds or an HTTP date (RFC 9110, 10.2.3), in milliseconds from `now`: none below 0, none above `maxMs`, for who
 * asks for more has made a mistake or is not coming back. Undefined when absent or unreadable.
 */
export function retryAfterMs(header: string | undefined, now: number, maxMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (text === '') return undefined;
  // To Date.parse() "-1" is a day in 2001, which was long ago; a time has colons.
  const ms = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1_000 : text.includes(':') ? Date.parse(text) - now : NaN;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), maxMs);
}
