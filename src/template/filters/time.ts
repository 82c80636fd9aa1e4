/** Filters for times and durations. */
import { durationText } from '../../text/duration.ts';
import type { FilterDefinition } from '../filter.ts';

export const duration: FilterDefinition = {
  name: 'duration',
  args: '"s"',
  summary: 'A number of seconds, or of milliseconds with `"ms"`, in its two largest units.',
  examples: [
    { template: '{{ 200 | duration }}', result: '3m20s' },
    { template: '{{ 93784 | duration }}', result: '1d2h' },
    { template: '{{ 250 | duration: "ms" }}', result: '250ms' },
  ],
  check: ([unit = 's']) => {
    if (unit !== 's' && unit !== 'ms') throw new Error('the unit of duration must be "s" or "ms"');
  },
  apply(value, [unit]) {
    const amount = numberOf(value);
    return amount === undefined ? undefined : spanText(unit === 'ms' ? amount : amount * 1_000);
  },
};

export const ago: FilterDefinition = {
  name: 'ago',
  summary:
    'How long a time was before the change was seen, so a retry gives the same result. Nothing if it is not a time; `0s` if it is later.',
  examples: [{ template: '{{ event.firstTimestamp | ago }}', result: '5m12s' }],
  apply(value, _args, { observedAt }) {
    const time = millisOf(value);
    return time === undefined || observedAt === undefined ? undefined : spanText(Math.max(0, observedAt - time));
  },
};

export const timestamp: FilterDefinition = {
  name: 'timestamp',
  args: '"ms"',
  summary: 'A time as a number: milliseconds since 1970, or whole seconds with `"s"`.',
  examples: [
    { template: '{{ "2026-11-20T23:42:03Z" | timestamp }}', result: '1795218123000' },
    { template: '{{ "2026-11-20T23:42:03Z" | timestamp: "s" }}', result: '1795218123' },
  ],
  check: ([unit = 'ms']) => {
    if (unit !== 's' && unit !== 'ms') throw new Error('the unit of timestamp must be "ms" or "s"');
  },
  apply(value, [unit]) {
    const time = millisOf(value);
    return time !== undefined && unit === 's' ? Math.floor(time / 1_000) : time;
  },
};

/** Checks the zone of Liquid's own `date`, which would otherwise fail at each change. @throws if a literal zone is unknown */
export function checkZone([, zone]: readonly unknown[]): void {
  if (typeof zone !== 'string') return;
  try {
    Intl.DateTimeFormat('en-US', { timeZone: zone });
  } catch (cause) {
    throw new Error('the time zone must be one such as "Europe/Berlin", or an offset such as "+02:00"', { cause });
  }
}

/** `1d2h`, `3m20s`, `12s`, `250ms`. */
function spanText(ms: number): string {
  if (ms < 0) return `-${spanText(-ms)}`;
  if (ms < 1_000) return ms === 0 ? '0s' : `${Math.round(ms)}ms`;
  return durationText(Math.floor(ms / 1_000));
}

/** From RFC 3339, or a number of seconds since 1970 as in Liquid's `date`. */
function millisOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value * 1_000 : undefined;
  // Date.parse takes `web-1` for a day in 2001.
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d/.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? undefined : ms;
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
