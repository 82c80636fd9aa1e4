/** Restarts of one container in a sliding window. */
import type { Problem } from './problem.ts';

export interface RestartRule {
  /** This many in the window are a warning. */
  readonly threshold: number;
  readonly windowMs: number;
}

/** Restarts kept per container; more are not counted. */
const MAX_KEPT = 100;

const RESTARTS = 'Restarts';

export function restartWarning(container: string): Problem {
  return { container, reason: RESTARTS, level: 'Warning' };
}

export function isRestartWarning({ reason, level }: Problem): boolean {
  return level === 'Warning' && reason === RESTARTS;
}

/** `times` with `jump` more at `now`, without those that have left the window. In chronological order. */
export function addRestarts(
  times: readonly number[],
  jump: number,
  now: number,
  { windowMs }: RestartRule,
): readonly number[] {
  const more = Array.from({ length: Math.min(jump, MAX_KEPT) }, () => now);
  return [...times.filter((at) => at > now - windowMs), ...more].slice(-MAX_KEPT);
}

/** When the last of them leaves the window and all can be forgotten. */
export function expiresAt(times: readonly number[], { windowMs }: RestartRule): number | undefined {
  const last = times.at(-1);
  return last === undefined ? undefined : last + windowMs;
}

/** When the warning ends: after the rule's average interval without a restart, restarts are too rare to warn of. */
export function warningEndsAt(times: readonly number[], { threshold, windowMs }: RestartRule): number {
  return (times.at(-1) ?? 0) + Math.ceil(windowMs / threshold);
}
