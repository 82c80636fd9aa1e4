/** Times as Go writes them: https://pkg.go.dev/time#Layout */
import type { FilterDefinition } from '../filter.ts';
import { textOf } from '../filters/text.ts';

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;

/** Go's zero time, which stands for "not set". */
const ZERO_MS = Date.UTC(2001, 0, 1) - 63_113_904_000_000;
/** UnixNano of the zero time, which overflows: in milliseconds, and in nanoseconds. */
const ZERO_UNIX_MS = -6_795_364_578_871;
const ZERO_UNIX_NS = '-6795364578871345152';

export const TIME: readonly FilterDefinition[] = [
  {
    name: 'go_time',
    summary: "A time as Go writes it; Go's zero time if there is none.",
    examples: [
      { template: '{{ "2026-11-20T23:56:58Z" | go_time }}', result: '2026-11-20 23:56:58 +0000 UTC' },
      { template: '{{ nil | go_time }}', result: '0001-01-01 00:00:00 +0000 UTC' },
    ],
    apply: (value) => formatted(instantOf(value), '2006-01-02 15:04:05.999999999 -0700 MST', 'UTC'),
  },
  {
    name: 'go_now',
    summary: 'When the change was seen, so a retry gives the same result.',
    examples: [{ template: '{{ nil | go_now | go_date: "2006-01-02" }}', result: '2026-11-20' }],
    apply: (_value, _args, { observedAt }) => new Date(observedAt ?? 0).toISOString(),
  },
  {
    name: 'go_date',
    args: '"2006-01-02"',
    summary: "A time in UTC, in Go's layout.",
    examples: [
      { template: '{{ "2026-11-20T23:56:58Z" | go_date: "Mon Jan _2 03:04PM" }}', result: 'Fri Nov 20 11:56PM' },
    ],
    apply: (value, [layout]) => formatted(instantOf(value), textOf(layout), 'UTC'),
  },
  {
    name: 'go_date_in_zone',
    args: '"2006-01-02", "Europe/Berlin"',
    summary: "A time in a zone, in Go's layout.",
    examples: [
      {
        template: '{{ "2026-11-20T23:56:58Z" | go_date_in_zone: "15:04 -0700", "Europe/Berlin" }}',
        result: '00:56 +0100',
      },
    ],
    apply: (value, [layout, zone]) => formatted(instantOf(value), textOf(layout), textOf(zone)),
  },
  {
    name: 'go_unix',
    args: '"s"',
    summary: 'A time as a number since 1970: in seconds (as a text with `"text"`), `"ms"` or `"ns"`.',
    examples: [{ template: '{{ "2026-11-20T23:42:03Z" | go_unix: "s" }}', result: '1795218123' }],
    apply(value, [unit]) {
      const { ms, nanos } = instantOf(value);
      const seconds = Math.floor(ms / 1_000);
      if (unit === 's') return seconds;
      if (unit === 'text') return String(seconds);
      if (unit !== 'ns') return ms;
      return ms === ZERO_MS ? ZERO_UNIX_NS : String(BigInt(seconds) * 1_000_000_000n + BigInt(nanos));
    },
  },
  {
    name: 'event_timestamp',
    args: '"ms"',
    summary: 'When an Event was first seen, else its event time: in milliseconds, or `"iso8601"`.',
    examples: [{ template: '{{ change.object | event_timestamp: "iso8601" }}', result: '2026-11-20T23:36:51.000Z' }],
    apply(value, [unit]) {
      const { firstTimestamp, eventTime } = (value ?? {}) as Readonly<Record<string, unknown>>;
      const instant = instantOf(firstTimestamp ?? eventTime);
      if (unit === 'iso8601') return formatted(instant, '2006-01-02T15:04:05.000Z', 'UTC');
      const { ms } = instant;
      return ms === ZERO_MS ? ZERO_UNIX_MS : ms;
    },
  },
];

/** A time with more precision than a Date: an `eventTime` has microseconds. */
interface Instant {
  readonly ms: number;
  /** The fraction of the second: nine digits. */
  readonly nanos: string;
}

function instantOf(value: unknown): Instant {
  const text = typeof value === 'string' ? value : '';
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return { ms: ZERO_MS, nanos: '000000000' };
  const [, fraction = ''] = /\.(\d+)/.exec(text) ?? [];
  return { ms, nanos: fraction.slice(0, 9).padEnd(9, '0') };
}

/** The parts of a layout, longer ones first. Not in `Month`, and `_2006` is the year after an underscore. */
const PARTS =
  /2006|January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|Z07:00|-07:00|[Z-]0700|[Z-]07|[.,]0+(?!\d)|[.,]9+(?!\d)|_2(?!006)|0[1-6]|06|15|PM|pm|[12345]/g;

function formatted({ ms, nanos }: Instant, layout: string, zone: string): string {
  const offsetMinutes = offsetAt(ms, zone);
  const local = new Date(ms + offsetMinutes * 60_000);
  return layout.replace(PARTS, (part) => {
    if (part === 'MST') return zoneNameAt(ms, zone, offsetMinutes);
    return /^[.,]/.test(part) ? fractionOf(part, nanos) : partOf(part, local, offsetMinutes);
  });
}

function partOf(part: string, local: Date, offsetMinutes: number): string {
  const hour = local.getUTCHours();
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  const month = MONTHS[local.getUTCMonth()] ?? '';
  const day = DAYS[local.getUTCDay()] ?? '';
  const known: Readonly<Record<string, string>> = {
    '2006': padded(local.getUTCFullYear(), 4),
    '06': padded(local.getUTCFullYear() % 100),
    January: month,
    Jan: month.slice(0, 3),
    '01': padded(local.getUTCMonth() + 1),
    '1': String(local.getUTCMonth() + 1),
    Monday: day,
    Mon: day.slice(0, 3),
    '02': padded(local.getUTCDate()),
    '2': String(local.getUTCDate()),
    _2: String(local.getUTCDate()).padStart(2, ' '),
    '15': padded(hour),
    '03': padded(twelve),
    '3': String(twelve),
    '04': padded(local.getUTCMinutes()),
    '4': String(local.getUTCMinutes()),
    '05': padded(local.getUTCSeconds()),
    '5': String(local.getUTCSeconds()),
    PM: hour < 12 ? 'AM' : 'PM',
    pm: hour < 12 ? 'am' : 'pm',
    '-0700': offsetText(offsetMinutes, ''),
    '-07:00': offsetText(offsetMinutes, ':'),
    '-07': offsetText(offsetMinutes, '').slice(0, 3),
  };
  if (part.startsWith('Z')) return offsetMinutes === 0 ? 'Z' : (known[part.replace('Z', '-')] ?? '');
  return known[part] ?? '';
}

function fractionOf(part: string, nanos: string): string {
  const digits = nanos.padEnd(part.length - 1, '0').slice(0, part.length - 1);
  const kept = part.endsWith('9') ? digits.replace(/0+$/, '') : digits;
  return kept === '' ? '' : `${part[0]}${kept}`;
}

function padded(number: number, length = 2): string {
  return String(number).padStart(length, '0');
}

function offsetText(minutes: number, separator: string): string {
  const absolute = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${padded(Math.trunc(absolute / 60))}${separator}${padded(absolute % 60)}`;
}

/** An unknown zone is UTC, as in sprig. */
function offsetAt(ms: number, zone: string): number {
  const [, sign, hours, minutes] = /([+-])(\d+):(\d+)/.exec(writtenZone(ms, zone, 'en-US', 'longOffset')) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes ?? 0));
}

/** Each language has names only for the zones of its own regions, and writes `GMT+1` for the others. */
const LANGUAGES = ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA', 'ja'] as const;

/** `CET`; as in Go the offset, `-03`, for a zone without a name. */
function zoneNameAt(ms: number, zone: string, offsetMinutes: number): string {
  const names = LANGUAGES.values().map((language) => writtenZone(ms, zone, language, 'short'));
  return names.find((name) => !/^GMT[+-]/.test(name)) ?? offsetText(offsetMinutes, '').replace(/00$/, '');
}

function writtenZone(ms: number, zone: string, language: string, timeZoneName: 'longOffset' | 'short'): string {
  if (zone === '' || zone === 'Local') return 'UTC';
  try {
    const parts = new Intl.DateTimeFormat(language, { timeZone: zone, timeZoneName }).formatToParts(ms);
    return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  } catch {
    return 'UTC';
  }
}
