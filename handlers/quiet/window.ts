/** When it is quiet: between two moments, at certain hours, on certain days. */
import { z } from 'zod';
import { timeZone } from '../../src/config/fields.ts';

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const DAY_MINUTES = 24 * 60;
const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

const moment = z.iso.datetime({
  offset: true,
  error: 'must be a time in quotes such as "2026-12-24T18:00:00Z" or "2026-12-24T18:00:00+01:00"',
});

const hours = z.string().refine((text) => minutesOf(text) !== undefined, {
  error: 'must be two different times of day such as "22:00-06:00"',
});

/** The part of the options that says when. */
export const windowOptions = {
  from: moment.optional().describe('The start: quiet from this time on.').meta({ example: '2026-12-24T18:00:00Z' }),
  until: moment
    .optional()
    .describe('The end: no longer quiet from this time on.')
    .meta({ example: '2026-12-27T06:00:00Z' }),
  daily: hours
    .optional()
    .describe('These hours every day, past midnight if the second time is earlier than the first.')
    .meta({ example: '22:00-06:00' }),
  days: z
    .array(z.enum(DAYS))
    .min(1)
    .optional()
    .describe('Only on these days; hours past midnight belong to the day on which they began.')
    .meta({ example: ['sat', 'sun'] }),
  timeZone: timeZone
    .optional()
    .describe("IANA name of the time zone for `daily` and `days`. Default: the machine's, UTC in the image.")
    .meta({ example: 'Europe/Zurich' }),
};

export type WindowOptions = z.output<z.ZodObject<typeof windowOptions>>;

/** When the quiet in effect at `now` ends, both in milliseconds since the epoch; Infinity: never; undefined: it is not quiet. */
export type QuietEnd = (now: number) => number | undefined;

/** @throws RangeError for what {@link windowOptions} refuse */
export function quietEnd({ from, until, daily, days, timeZone: zone }: WindowOptions): QuietEnd {
  const [fromMs, untilMs] = [
    from === undefined ? -Infinity : Date.parse(from),
    until === undefined ? Infinity : Date.parse(until),
  ];
  const minutesLeft = daily === undefined && days === undefined ? undefined : recurring(daily, days ?? DAYS, zone);
  return (now) => {
    if (now < fromMs || now >= untilMs) return undefined;
    if (minutesLeft === undefined) return untilMs;
    const end = endOf(minutesLeft, now - (now % SECOND_MS));
    return end === undefined ? undefined : Math.min(untilMs, end);
  };
}

/** How many minutes of a window are left by local time; undefined outside of it. */
type MinutesLeft = (now: number) => number | undefined;

/** Checks again at the end: a clock change makes the window longer or shorter than local time suggests beforehand. */
function endOf(minutesLeft: MinutesLeft, now: number): number | undefined {
  const endAfter = (begin: number, minutes: number): number => begin + Math.round(minutes * MINUTE_MS);
  const left = minutesLeft(now);
  if (left === undefined) return undefined;
  const last = endAfter(now, left) - SECOND_MS;
  const leftThen = minutesLeft(last);
  if (leftThen !== undefined) return endAfter(last, leftThen);
  let [quiet, over] = [now, last];
  while (over - quiet > SECOND_MS) {
    const middle = quiet + Math.ceil((over - quiet) / 2 / SECOND_MS) * SECOND_MS;
    if (minutesLeft(middle) === undefined) over = middle;
    else quiet = middle;
  }
  return over;
}

function recurring(daily: string | undefined, days: readonly string[], zone: string | undefined): MinutesLeft {
  const [begin, end] = (daily === undefined ? undefined : minutesOf(daily)) ?? [0, DAY_MINUTES];
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  return (now) => {
    const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
    const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute')) + Number(parts.get('second')) / 60;
    const today = DAYS.findIndex((day) => day === parts.get('weekday')?.toLowerCase());
    const isOn = (day: number): boolean => days.includes(DAYS.at(day) ?? '');
    if (begin < end) return isOn(today) && minute >= begin && minute < end ? end - minute : undefined;
    if (isOn(today) && minute >= begin) return DAY_MINUTES - minute + end;
    return isOn(today - 1) && minute < end ? end - minute : undefined;
  };
}

function minutesOf(text: string): readonly [begin: number, end: number] | undefined {
  const time = '([01]?\\d|2[0-3]):([0-5]\\d)';
  const [, ...numbers] = new RegExp(`^${time}\\s*-\\s*(?:${time}|(24):(00))$`).exec(text) ?? [];
  const [h1, m1, h2, m2] = numbers.filter((number) => number !== undefined).map(Number);
  if (h1 === undefined || m1 === undefined || h2 === undefined || m2 === undefined) return undefined;
  const [begin, end] = [h1 * 60 + m1, h2 * 60 + m2];
  return begin === end ? undefined : [begin, end];
}
