/** Restarts of one container in a sliding window. */

export interface RestartRule {
  /** So many in the window are a warning. */
  readonly threshold: number;
  readonly windowMs: number;
}

/** More are not told apart. */
const MAX_KEPT = 100;

/** `times` with `jump` more at `now`, without those that have left the window. In order of time. */
export function counted(
  times: readonly number[],
  jump: number,
  now: number,
  { windowMs }: RestartRule,
): readonly number[] {
  const more = Array.from({ length: Math.min(jump, MAX_KEPT) }, () => now);
  return [...times.filter((at) => at > now - windowMs), ...more].slice(-MAX_KEPT);
}

/** When the last of them leaves the window: nothing is to be remembered from then on. */
export function forgottenAt(times: readonly number[], { windowMs }: RestartRule): number | undefined {
  const last = times.at(-1);
  return last === undefined ? undefined : last + windowMs;
}

/** After the warning: quiet for as long as the rule's restarts are apart on average, it restarts too seldom to be warned of. */
export function calmAt(times: readonly number[], { threshold, windowMs }: RestartRule): number {
  return (times.at(-1) ?? 0) + Math.ceil(windowMs / threshold);
}
