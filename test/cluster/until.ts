import { setTimeout as delay } from 'node:timers/promises';

const POLL_EVERY_MS = 100;

/** Resolves once `condition` holds; asks ten times a second, because another process cannot be awaited. Rejects after `timeoutMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  while (!(await condition())) {
    if (deadline.aborted) throw new Error(`Never came to be in ${timeoutMs / 1000} s: ${what}`);
    await delay(POLL_EVERY_MS);
  }
}
