/** Durations as written in a configuration: `"30s"`, `"5m"`, `"1h30m"`, `"250ms"`. */
import { z } from 'zod';

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
/** Largest unit first, each at most once. */
const SHAPE = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/;
/** Node fires longer timers immediately. */
const MAX_MS = 2 ** 31 - 1;

/** A duration of at most 24 days, kept as written; {@link durationMs} converts it to milliseconds. */
export const duration = durationOf(
  'must be a duration such as "250ms", "30s", "5m" or "1h30m", at most 24 days',
  MAX_MS,
);

/** A duration that no timer waits for, of any length. */
export const age = durationOf('must be a duration such as "30s", "5m", "12h" or "90d"', Infinity);

const MAX_PARKED_MS = 365 * 86_400_000;

/** A duration that only the store waits for. */
export const parkedDuration = durationOf(
  'must be a duration such as "30s", "5m", "12h" or "90d", at most 365 days',
  MAX_PARKED_MS,
);

/** A {@link duration}, or {@link age}, of at least `least`. */
export function durationFrom(least: string, kind = duration) {
  return kind.refine((text) => (parse(text, Infinity) ?? Infinity) >= durationMs(least), `must be at least "${least}"`);
}

function durationOf(error: string, mostMs: number) {
  return z.string({ error }).refine((text) => parse(text, mostMs) !== undefined, { error });
}

/**
 * @param mostMs the upper bound; for an {@link age}, Infinity
 * @throws RangeError for what {@link duration} refuses, with `mostMs` as the bound
 */
export function durationMs(text: string, mostMs = MAX_MS): number {
  const ms = parse(text, mostMs);
  if (ms === undefined) throw new RangeError(`Cannot read '${text}' as a duration`);
  return ms;
}

function parse(text: string, mostMs = MAX_MS): number | undefined {
  const [, ...amounts] = SHAPE.exec(text) ?? [];
  if (text === '' || amounts.length === 0) return undefined;
  const ms = Object.values(UNIT_MS).reduce((sum, unit, index) => sum + Number(amounts[index] ?? 0) * unit, 0);
  return ms <= mostMs ? ms : undefined;
}
