/** Values on the command line: numbers, durations, times. */
import { systemClock } from '../clock.ts';
import { durationMs } from '../config/duration.ts';
import { ConfigError } from '../errors.ts';

/** The id of a change or a dead letter. @throws ConfigError */
export function idOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new ConfigError([
    `Not an id: ${JSON.stringify(text)}; \`watchchain history\` and \`watchchain dead list\` show them`,
  ]);
}

/** `2h` ago, or a time such as `2026-11-20T23:42:03Z`, in milliseconds since the epoch. @throws ConfigError naming the flag */
export function parseTime(flag: string, text: string): number {
  if (/^\d{4}-\d\d-\d\d/.test(text) && isDay(text.slice(0, 10)) && !Number.isNaN(Date.parse(text)))
    return Date.parse(text);
  try {
    return systemClock.now() - durationMs(text, Infinity);
  } catch (cause) {
    throw new ConfigError(
      [
        `${flag}: cannot read ${JSON.stringify(text)}; expected a duration such as 30m, 12h or 3d, or a time such as 2026-11-20T23:42:03Z`,
      ],
      { cause },
    );
  }
}

/** Date.parse() takes the 31st of September for the 1st of October. */
function isDay(day: string): boolean {
  const ms = Date.parse(day);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}
